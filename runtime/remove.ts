// Takes away what an instance has in the kernel (containers, cgroups, interfaces, firewall), once its daemon has ended.
import { LinuxKernel } from './containers/linux-kernel.ts';
import { parseSettings } from './settings.ts';

const { run, subnet } = parseSettings(process.env);
await LinuxKernel.remove({ run, subnet });
process.exit(0);
