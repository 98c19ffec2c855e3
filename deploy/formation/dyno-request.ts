import type { ContainerRequest } from '../engine.ts';
import { DEFAULT_MEMORY, type DynoLimits } from '../model/dyno-limits.ts';
import type { Release } from '../model/release.ts';
import { appNetwork } from './app-network.ts';

/** The container of a dyno, one-off or of a formation: what its release makes it, under this name (`web.1`, `run.4711`). */
export function dynoRequest(dyno: {
  release: Release;
  name: string;
  command: string;
  limits: DynoLimits;
}): ContainerRequest {
  const { release, name, command, limits } = dyno;
  return {
    image: release.image,
    command: ['bash', '-c', command],
    env: environmentOf(release, name),
    workingDir: '/app',
    user: 'app',
    network: appNetwork(release.app),
    memory: limits.memory ?? DEFAULT_MEMORY,
    ...(limits.cpu !== undefined && { cpu: limits.cpu }),
    volatile: true,
    hostname: name.replace('.', '-'),
    labels: { 'paas.app': release.app },
  };
}

/** Above the app's own config vars stands only what names the dyno. */
function environmentOf(release: Release, name: string): Record<string, string> {
  return {
    ...release.config,
    HOME: '/app',
    PWD: '/app',
    DYNO: name,
    PAAS_RELEASE_VERSION: `v${release.version}`,
    ...(release.commit && { SOURCE_VERSION: release.commit }),
  };
}
