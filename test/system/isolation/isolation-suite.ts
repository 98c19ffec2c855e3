import { after, before } from 'mocha';
import { KernelFixture, whyNot } from '../kernel-fixture.ts';
import { WeakenedContainers } from './weakened.ts';

/** The containers of the suite in whose body this stands, and the same with protections left out. Where they cannot run, it is skipped. */
export function isolationSuite(): { containers: KernelFixture; weakened: WeakenedContainers } {
  const containers = new KernelFixture();
  const weakened = new WeakenedContainers(containers);
  before(async function () {
    if (whyNot()) return this.skip();
    await containers.open();
    await weakened.open();
  });
  after(async () => {
    if (whyNot()) return;
    weakened.close();
    await containers.close();
  });
  return { containers, weakened };
}
