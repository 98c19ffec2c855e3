import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { cpus, hostname, release, totalmem } from 'node:os';
import type { Engine } from '../containers/engine.ts';
import type { Exchange } from './exchange.ts';
import type { Route } from './router.ts';
import { API_VERSION, MIN_API_VERSION } from './version.ts';

/** About the runtime itself. */
export function systemRoutes(engine: Engine, about: { version: string; root: string }): Route[] {
  return [
    { method: 'GET', pattern: '/_ping', handler: ping },
    { method: 'HEAD', pattern: '/_ping', handler: ping },
    {
      method: 'GET',
      pattern: '/version',
      handler: (exchange) => exchange.send(200, versionView(about.version)),
    },
    {
      method: 'GET',
      pattern: '/info',
      handler: (exchange) => exchange.send(200, infoView(engine, exchange, about)),
    },
  ];
}

/** No Builder-Version: without one, clients use the old build endpoint, which says what to do instead. */
function ping(exchange: Exchange): void {
  exchange.header('Ostype', 'linux');
  exchange.header('Swarm', 'inactive');
  exchange.header('Docker-Experimental', 'false');
  exchange.header('Cache-Control', 'no-cache, no-store, must-revalidate');
  exchange.sendText(200, 'OK');
}

function versionView(version: string): object {
  const details = {
    ApiVersion: API_VERSION,
    MinAPIVersion: MIN_API_VERSION,
    GitCommit: '',
    GoVersion: '',
    Os: 'linux',
    Arch: architecture(),
    KernelVersion: release(),
    BuildTime: '',
  };
  return {
    Platform: { Name: 'paas runtime' },
    Components: [{ Name: 'Engine', Version: version, Details: details }],
    Version: version,
    ...details,
  };
}

function infoView(engine: Engine, exchange: Exchange, about: { version: string; root: string }): object {
  const containers = engine.list(exchange.access);
  const inState = (...states: string[]) =>
    containers.filter(({ state }) => states.includes(state.status)).length;
  const { swap, cpuset } = engine.kernel.limitFeatures;
  return {
    ID: 'paas',
    Containers: containers.length,
    ContainersRunning: inState('running'),
    ContainersPaused: inState('paused'),
    ContainersStopped: inState('created', 'restarting', 'exited'),
    Images: engine.images.list().length,
    Driver: 'overlay',
    DriverStatus: [],
    Plugins: { Volume: ['local'], Network: ['bridge', 'none'], Authorization: null, Log: ['json-file'] },
    MemoryLimit: true,
    SwapLimit: swap,
    CpuCfsPeriod: true,
    CpuCfsQuota: true,
    CPUShares: true,
    CPUSet: cpuset,
    PidsLimit: true,
    OomKillDisable: false,
    IPv4Forwarding: readFileSync('/proc/sys/net/ipv4/ip_forward', 'latin1').trim() === '1',
    BridgeNfIptables: false,
    BridgeNfIp6tables: false,
    Debug: false,
    NFd: readdirSync('/proc/self/fd').length,
    SystemTime: new Date().toISOString(),
    LoggingDriver: 'json-file',
    CgroupDriver: 'cgroupfs',
    CgroupVersion: existsSync('/sys/fs/cgroup/cgroup.controllers') ? '2' : '1',
    // Containers go on while the runtime is away.
    LiveRestoreEnabled: true,
    InitBinary: 'paas-init',
    KernelVersion: release(),
    OperatingSystem: 'paas',
    OSType: 'linux',
    Architecture: architecture(),
    NCPU: cpus().length,
    MemTotal: totalmem(),
    DockerRootDir: about.root,
    Name: hostname(),
    Labels: [],
    ServerVersion: about.version,
    Runtimes: { paas: { path: 'paas' } },
    DefaultRuntime: 'paas',
    Swarm: { LocalNodeState: 'inactive' },
    SecurityOptions: [
      'name=seccomp,profile=builtin',
      'name=no-new-privileges',
      'name=cgroupns',
      'name=userns',
    ],
    Warnings: [],
  };
}

function architecture(): string {
  return process.arch === 'x64' ? 'amd64' : process.arch;
}
