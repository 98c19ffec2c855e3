import type { Container } from '../containers/container.ts';
import { parseBind } from '../containers/container-config.ts';
import type { ContainerNetworks } from '../containers/container-networks.ts';
import type { ContainerState } from '../containers/state.ts';
import { endpointViews, networkSettings } from './network-view.ts';

const NEVER = '0001-01-01T00:00:00Z';

/** The answer to `GET /containers/{id}/json`. */
export function inspectView(container: Container, volumes: string, networks: ContainerNetworks): object {
  const { config } = container;
  const args = [...config.process.Entrypoint, ...config.process.Cmd];
  return {
    Id: config.id,
    Created: config.created,
    Path: args[0] ?? '',
    Args: args.slice(1),
    State: stateView(container.state),
    Image: `sha256:${config.image}`,
    ResolvConfPath: '',
    HostnamePath: '',
    HostsPath: '',
    LogPath: '',
    Name: `/${config.name}`,
    RestartCount: 0,
    Driver: 'overlay',
    Platform: 'linux',
    MountLabel: '',
    ProcessLabel: '',
    AppArmorProfile: '',
    ExecIDs: null,
    HostConfig: hostView(container),
    GraphDriver: { Name: 'overlay', Data: null },
    Mounts: mountsView(container, volumes),
    Config: {
      ...config.process,
      Image: config.imageName,
      Hostname: config.process.Hostname || config.id.slice(0, 12),
      Domainname: '',
      Volumes: null,
      OnBuild: null,
    },
    NetworkSettings: networkSettings(container, networks),
  };
}

/** One item of the answer to `GET /containers/json`. */
export function listView(container: Container, volumes: string, networks: ContainerNetworks): object {
  const { config, state } = container;
  return {
    Id: config.id,
    Names: [`/${config.name}`],
    Image: config.imageName,
    ImageID: `sha256:${config.image}`,
    Command: [...config.process.Entrypoint, ...config.process.Cmd].join(' '),
    Created: Math.floor(Date.parse(config.created) / 1000),
    Ports: [],
    Labels: config.process.Labels,
    State: state.status,
    Status: statusText(state, new Date()),
    HostConfig: { NetworkMode: config.host.NetworkMode },
    NetworkSettings: { Networks: endpointViews(container, networks) },
    Mounts: mountsView(container, volumes),
  };
}

/** As in `docker ps`: `Up 5 minutes`. */
export function statusText(state: ContainerState, now: Date): string {
  if (state.status === 'created') return 'Created';
  if (state.status === 'running') return `Up ${duration(now.getTime() - Date.parse(state.startedAt))}`;
  return `Exited (${state.exitCode}) ${duration(now.getTime() - Date.parse(state.finishedAt))} ago`;
}

function duration(milliseconds: number): string {
  const seconds = Math.max(0, Math.floor(milliseconds / 1000));
  if (seconds < 1) return 'Less than a second';
  const units: [string, number][] = [
    ['day', 86400],
    ['hour', 3600],
    ['minute', 60],
    ['second', 1],
  ];
  const [unit, size] = units.find(([, size]) => seconds >= size)!;
  const count = Math.floor(seconds / size);
  return `${count} ${unit}${count === 1 ? '' : 's'}`;
}

function stateView(state: ContainerState): object {
  const running = state.status === 'running';
  const exited = state.status === 'exited' ? state : undefined;
  return {
    Status: state.status,
    Running: running,
    Paused: false,
    Restarting: false,
    OOMKilled: exited?.oomKilled ?? false,
    Dead: false,
    Pid: running ? state.process.pid : 0,
    ExitCode: exited?.exitCode ?? 0,
    Error: exited?.error ?? '',
    StartedAt: (state.status !== 'created' && state.startedAt) || NEVER,
    FinishedAt: exited?.finishedAt ?? NEVER,
  };
}

function hostView(container: Container): object {
  const { DiskSize, ...host } = container.config.host;
  return {
    ...host,
    ...(DiskSize && { StorageOpt: { size: String(DiskSize) } }),
    RestartPolicy: { Name: 'no', MaximumRetryCount: 0 },
    LogConfig: { Type: 'json-file', Config: {} },
    CapDrop: ['ALL'],
    SecurityOpt: ['no-new-privileges'],
    Privileged: false,
    PidMode: '',
    IpcMode: 'private',
    CgroupnsMode: 'private',
    ReadonlyRootfs: false,
    Runtime: 'paas',
  };
}

function mountsView(container: Container, volumes: string): object[] {
  return container.config.host.Binds.map((text) => {
    const { source, target, readOnly } = parseBind(text)!;
    const named = !source.startsWith('/');
    return {
      Type: named ? 'volume' : 'bind',
      ...(named ? { Name: source, Driver: 'local' } : {}),
      Source: named ? `${volumes}/${source}` : source,
      Destination: target,
      Mode: readOnly ? 'ro' : '',
      RW: !readOnly,
      Propagation: 'rprivate',
    };
  });
}
