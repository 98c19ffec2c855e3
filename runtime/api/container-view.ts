import type { Container } from '../containers/container.ts';
import type { ContainerConfig } from '../containers/container-config.ts';
import type { ContainerNetworks } from '../containers/container-networks.ts';
import type { Engine } from '../containers/engine.ts';
import { mountsOf } from '../containers/mount-points.ts';
import { endpointViews, networkSettings, portList } from './network-view.ts';
import { restartCount, stateView, statusText } from './state-view.ts';

/** The answer to `GET /containers/{id}/json`; `execs`: the ids of those that have not ended. */
export function inspectView(
  container: Container,
  context: { volumes: string; networks: ContainerNetworks; execs: string[] },
): object {
  const { config } = container;
  const { volumes, networks, execs } = context;
  const args = [...config.process.Entrypoint, ...config.process.Cmd];
  return {
    Id: config.id,
    Created: config.created,
    Path: args[0] ?? '',
    Args: args.slice(1),
    State: stateView(container),
    Image: `sha256:${config.image}`,
    ResolvConfPath: '',
    HostnamePath: '',
    HostsPath: '',
    LogPath: '',
    Name: `/${config.name}`,
    RestartCount: restartCount(container.state),
    Driver: 'overlay',
    Platform: 'linux',
    MountLabel: '',
    ProcessLabel: '',
    AppArmorProfile: '',
    ExecIDs: execs.length > 0 ? execs : null,
    HostConfig: hostView(container),
    GraphDriver: { Name: 'overlay', Data: null },
    Mounts: containerMounts(container, volumes),
    Config: {
      ...config.process,
      Image: config.imageName,
      Hostname: config.process.Hostname || config.id.slice(0, 12),
      Domainname: config.process.Domainname ?? '',
      Volumes: config.process.Volumes ?? null,
      OnBuild: null,
    },
    NetworkSettings: networkSettings(container, networks),
  };
}

/** Makes items of the answer to `GET /containers/json`. */
export function listViews({ images, networks }: Engine, volumes: string): (container: Container) => object {
  const named = new Map<string, string | undefined>();
  const imageOf = ({ imageName, image }: ContainerConfig) => {
    if (!named.has(imageName)) named.set(imageName, images.known(imageName)?.id);
    // The name may be another image's by now.
    return named.get(imageName) === image ? imageName : `sha256:${image}`;
  };
  return (container) => listView(container, { volumes, networks, image: imageOf(container.config) });
}

function listView(
  container: Container,
  context: { volumes: string; networks: ContainerNetworks; image: string },
): object {
  const { config, state } = container;
  const { volumes, networks, image } = context;
  return {
    Id: config.id,
    Names: [`/${config.name}`],
    Image: image,
    ImageID: `sha256:${config.image}`,
    Command: commandText([...config.process.Entrypoint, ...config.process.Cmd]),
    Created: Math.floor(Date.parse(config.created) / 1000),
    Ports: portList(container),
    Labels: config.process.Labels,
    State: state.status,
    Status: statusText(container, new Date()),
    HostConfig: { NetworkMode: config.host.NetworkMode },
    NetworkSettings: { Networks: endpointViews(container, networks) },
    Mounts: containerMounts(container, volumes),
  };
}

/** As Docker shows it: arguments with a blank in quotes. */
function commandText([program = '', ...args]: string[]): string {
  return [program, ...args.map((arg) => (arg.includes(' ') ? `'${arg}'` : arg))].join(' ');
}

function hostView(container: Container): object {
  const { DiskSize, ...host } = container.config.host;
  return {
    ...host,
    ...(DiskSize && { StorageOpt: { size: String(DiskSize) } }),
    LogConfig: { Type: 'json-file', Config: {} },
    CapDrop: ['ALL'],
    SecurityOpt: ['no-new-privileges'],
    Privileged: false,
    PidMode: '',
    IpcMode: 'private',
    CgroupnsMode: 'private',
    Runtime: 'paas',
  };
}

/** One item of `Mounts`. */
export interface MountView {
  Type: 'volume' | 'bind';
  Name?: string;
  Driver?: string;
  Source: string;
  Destination: string;
  Mode: string;
  RW: boolean;
  Propagation: string;
}

/** What is mounted into it, as `GET /containers/{id}/json` gives it. */
export function containerMounts(container: Container, volumes: string): MountView[] {
  return mountsOf(container.config).map((mount) => ({
    Type: mount.type,
    ...(mount.type === 'volume' ? { Name: mount.name, Driver: 'local' } : {}),
    Source: mount.type === 'volume' ? `${volumes}/${mount.name}` : mount.source,
    Destination: mount.target,
    Mode: mount.readOnly ? 'ro' : '',
    RW: !mount.readOnly,
    Propagation: 'rprivate',
  }));
}
