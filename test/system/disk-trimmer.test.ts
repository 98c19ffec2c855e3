import assert from 'node:assert/strict';
import { mkdirSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { describe, it } from 'mocha';
import type { Container } from '../../runtime/containers/container.ts';
import { DISK_FOLDER, DISK_UPPER, DISK_WORK, diskImage } from '../../runtime/containers/disk/disk-folders.ts';
import { DiskImages } from '../../runtime/containers/disk/disk-image.ts';
import { DiskTrimmer } from '../../runtime/containers/disk/disk-trimmer.ts';
import type { LaunchSpec } from '../../runtime/containers/kernel.ts';
import * as descriptors from '../../runtime/syscall/descriptors.ts';
import { kernelSuite } from './kernel-suite.ts';

const MEGABYTE = 1024 ** 2;

describe('DiskTrimmer', function () {
  this.timeout(60_000);
  const containers = kernelSuite();

  const folder = (id: string) => join(containers.folder, id);
  const megabytes = (spec: LaunchSpec) => (statSync(diskImage(folder(spec.id))).blocks * 512) / MEGABYTE;

  async function withDisk(script: string): Promise<LaunchSpec> {
    const spec = containers.spec(script);
    const disk = join(folder(spec.id), DISK_FOLDER);
    mkdirSync(disk);
    const image = diskImage(folder(spec.id));
    await new DiskImages(descriptors).prepare(image, { size: 1024 * MEGABYTE, fresh: true });
    const [upper, work] = [DISK_UPPER, DISK_WORK].map((name) => join(disk, name)) as [string, string];
    return {
      ...spec,
      rootfs: { ...spec.rootfs, upper, work, volatile: false, disk: { image, folder: disk } },
    };
  }

  /** Of the containers with these specs. */
  function trimmer(specs: LaunchSpec[], { running = true, DiskSize = MEGABYTE } = {}) {
    const all = specs.map(({ id }) => ({ id, running, config: { host: { DiskSize } } }) as Container);
    return new DiskTrimmer({ kernel: containers.kernel, containers: () => all, folder });
  }

  const write = (size: number) => `dd if=/dev/zero of=/tmp/big bs=1M count=${size} 2>/dev/null`;
  const SYNC = 'sync -f /tmp';

  it('gives the host back what an app has removed, and nothing else', async () => {
    const spec = await withDisk(`echo kept > /tmp/kept; exec sleep 1000`);
    await containers.during(spec, async () => {
      await containers.exec(spec, `${write(100)}; ${SYNC}`);
      assert.ok(megabytes(spec) > 100, `${megabytes(spec)} MB`);
      await trimmer([spec]).trim();
      assert.ok(megabytes(spec) > 100, 'the file is there still');
      await containers.exec(spec, `rm /tmp/big; ${SYNC}`);
      assert.ok(megabytes(spec) > 100, 'the control: by itself nothing goes back');
      await trimmer([spec]).trim();
      assert.ok(megabytes(spec) < 2, `${megabytes(spec)} MB`);
      assert.equal((await containers.exec(spec, 'cat /tmp/kept')).output, 'kept\n');
      await containers.kernel.trimDisk(diskImage(folder(spec.id)));
    });
  });

  it('leaves small disks alone, and those of containers that do not run or have none', async () => {
    const spec = await withDisk(`echo kept > /tmp/kept; exec sleep 1000`);
    await containers.during(spec, async () => {
      await containers.exec(spec, `${write(40)}; ${SYNC}; rm /tmp/big; ${SYNC}`);
      await trimmer([spec]).trim();
      assert.ok(megabytes(spec) > 40, `${megabytes(spec)} MB`);
      await containers.exec(spec, `${write(100)}; ${SYNC}; rm /tmp/big; ${SYNC}`);
      await trimmer([spec], { running: false }).trim();
      await trimmer([spec], { DiskSize: 0 }).trim();
      assert.ok(megabytes(spec) > 100, `${megabytes(spec)} MB`);
    });
  });
});
