// The runtime's process: the only one that is root and talks to the kernel. It can die or be replaced while containers run.
import { readFileSync } from 'node:fs';
import { flushCompileCache } from 'node:module';
import { refuseSecond } from './api/sockets.ts';
import { LinuxKernel } from './containers/linux-kernel.ts';
import { refuseSharedSubnet, removeDeadInstances } from './containers/other-instances.ts';
import { comeBeforeApps } from './priority.ts';
import { startRuntime } from './runtime.ts';
import { parseSettings, runtimePaths } from './settings.ts';
import * as descriptors from './syscall/descriptors.ts';

process.umask(0o022);
process.on('unhandledRejection', (error) => console.error('Nobody expected this:', error));

const settings = parseSettings(process.env);
const { dockerSocket, output, roots } = runtimePaths(settings);
await refuseSecond(dockerSocket);
await refuseSharedSubnet(settings);
comeBeforeApps();
const { version } = JSON.parse(readFileSync(new URL('../package.json', import.meta.url), 'utf8'));
const kernel = await LinuxKernel.open({ ...settings, output, roots });
const runtime = await startRuntime(settings, { kernel, descriptors, version });
console.log('ready {}');
// Else it is only written at an orderly end, and the start after a kill -9 is slow and takes 25 MB more.
flushCompileCache();
void removeDeadInstances(({ run, subnet }, claim) => LinuxKernel.remove({ run, subnet }, claim)).then(
  (runs) => {
    for (const run of runs) console.log(`Took away what the dead instance of "${run}" had left.`);
  },
);

for (const signal of ['SIGTERM', 'SIGINT'] as const) {
  process.once(signal, async () => {
    await runtime.close();
    if (runtime.engine.list('root').length === 0) await kernel.dismantle();
    else await kernel.close();
    process.exit(0);
  });
}
