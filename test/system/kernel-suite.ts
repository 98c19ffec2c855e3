import { after, before } from 'mocha';
import { KernelFixture, whyNot } from './kernel-fixture.ts';

/** The kernel of the suite in whose body this stands: open before the tests, gone after the last. Where it cannot run, the suite is skipped. */
export function kernelSuite(): KernelFixture {
  const containers = new KernelFixture();
  before(async function () {
    if (whyNot()) return this.skip();
    await containers.open();
  });
  after(async () => {
    if (!whyNot()) await containers.close();
  });
  return containers;
}
