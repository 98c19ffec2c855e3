import { mkdirSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import Docker from 'dockerode';
import type { Kernel } from '../../runtime/containers/kernel.ts';
import { type Runtime, startRuntime } from '../../runtime/runtime.ts';
import { runtimePaths, type Settings } from '../../runtime/settings.ts';
import * as descriptors from '../../runtime/syscall/descriptors.ts';

export const BASE = 'paas/base:debian-12';

/** A runtime in folders of its own, and clients on its two sockets. */
export interface EngineFixture {
  settings: Settings;
  runtime: Runtime;
  docker: Docker;
  platform: Docker;
  /** Whatever state they are in. */
  removeContainers(): Promise<void>;
  remove(): Promise<void>;
}

/** Starts a runtime with this kernel side over a base system of nothing (or `base`). */
export async function createEngineFixture(kernel: Kernel, base?: string): Promise<EngineFixture> {
  const root = mkdtempSync(join(tmpdir(), 'paas-engine-'));
  const settings: Settings = {
    data: join(root, 'data'),
    run: join(root, 'run'),
    subnet: '172.28.0.0/16',
    publicAddresses: [],
    base: base ?? join(root, 'base'),
  };
  mkdirSync(join(root, 'base'));
  const runtime = await startRuntime(settings, { kernel, descriptors, version: 'test' });
  const paths = runtimePaths(settings);
  const docker = new Docker({ socketPath: paths.dockerSocket });
  return {
    settings,
    runtime,
    docker,
    platform: new Docker({ socketPath: paths.engineSocket }),
    removeContainers: async () => {
      for (const { Id } of await docker.listContainers({ all: true }))
        await docker.getContainer(Id).remove({ force: true });
    },
    remove: async () => {
      await runtime.close();
      rmSync(root, { recursive: true, force: true });
    },
  };
}
