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
  return {
    settings,
    runtime,
    docker: new Docker({ socketPath: paths.dockerSocket }),
    platform: new Docker({ socketPath: paths.engineSocket }),
    remove: async () => {
      await runtime.close();
      rmSync(root, { recursive: true, force: true });
    },
  };
}
