import { parseBind } from '../containers/container-config.ts';
import { RequestFields } from '../containers/request-fields.ts';
import { EngineError } from '../engine-error.ts';

/** What root-inside may be given in a step of a build; apps get none. */
const GRANTABLE = new Set([
  'CHOWN',
  'DAC_OVERRIDE',
  'FOWNER',
  'FSETID',
  'SETGID',
  'SETUID',
  'SETFCAP',
  'KILL',
]);

/** Fields of HostConfig that ask for no more than a share of the machine, or for less. */
const HARMLESS = new Set([
  ...['Memory', 'MemoryReservation', 'NanoCpus', 'CpuPeriod', 'CpuQuota', 'CpuShares', 'BlkioWeight'],
  ...['CpusetCpus', 'CpusetMems', 'Ulimits', 'OomScoreAdj', 'Tmpfs', 'ReadonlyRootfs'],
  ...['ExtraHosts', 'ShmSize', 'AutoRemove', 'ConsoleSize'],
  ...['CapDrop', 'Init', 'MemorySwappiness', 'Annotations', 'StorageOpt'],
]);

/** Fields with a harmless value or two; every other value is refused. */
const HARMLESS_VALUES: Record<string, string[]> = {
  IpcMode: ['private'],
  PidMode: ['private'],
  UTSMode: ['private'],
  UsernsMode: ['private'],
  CgroupnsMode: ['private'],
};

const TIGHTENING_OPTIONS = ['no-new-privileges', 'no-new-privileges=true', 'no-new-privileges:true'];

/**
 * The policy of the platform's socket: throws `forbidden` for a body of `POST /containers/create` that asks for more than an app
 * or a build needs. It knows what is harmless and refuses the rest, also fields that come with later versions of the API.
 */
export function refuseUnsafeContainer(body: unknown, host: { volumes: string }): void {
  const fields = new RequestFields(body).object('HostConfig');
  refusePorts(fields);
  for (const name of fields.names()) {
    if (HARMLESS.has(name)) continue;
    if (Object.hasOwn(HARMLESS_VALUES, name))
      refuseOtherValues(name, [fields.string(name)], HARMLESS_VALUES[name]!);
    else refuseField(name, { fields, ...host });
  }
}

/** Also one that says nothing more than that it is to be published somewhere. */
function refusePorts(fields: RequestFields): void {
  if (Object.keys(fields.set('PortBindings')).length > 0) {
    throw new EngineError('forbidden', 'HostConfig.PortBindings is not allowed on this socket.');
  }
}

function refuseField(name: string, context: { fields: RequestFields; volumes: string }): void {
  const { fields, volumes } = context;
  switch (name) {
    case 'Binds':
      refuseForeignBinds(fields.strings(name), volumes);
      break;
    case 'CapAdd':
      refuseOtherValues(name, fields.strings(name).map(bareCapability), [...GRANTABLE]);
      break;
    // Networks that it may not see are not found; DNS servers are asked by the host, wherever they are.
    case 'NetworkMode':
      refuseOtherNetworks(fields.string(name));
      break;
    case 'SecurityOpt':
      refuseOtherValues(name, fields.strings(name), TIGHTENING_OPTIONS);
      break;
    case 'PidsLimit':
    case 'MemorySwap':
      refuseNoLimit(name, fields.raw(name));
      break;
    case 'RestartPolicy':
      refuseOtherValues(name, [fields.object(name).string('Name')], ['', 'no']);
      break;
    case 'LogConfig':
      refuseOtherValues(name, [fields.object(name).string('Type')], ['', 'json-file']);
      break;
    default:
      throw new EngineError('forbidden', `HostConfig.${name} is not allowed on this socket.`);
  }
}

/** Docker's -1. */
function refuseNoLimit(name: string, value: unknown): void {
  if (typeof value === 'number' && value >= 0) return;
  throw new EngineError('forbidden', `HostConfig.${name} without a limit is not allowed on this socket.`);
}

function bareCapability(name: string): string {
  return name.toUpperCase().replace(/^CAP_/, '');
}

/** Only whole volumes: what is inside of one belongs to an app, which could put a symbolic link there. */
function refuseForeignBinds(binds: string[], volumes: string): void {
  for (const text of binds) {
    const source = parseBind(text)?.source;
    const name = source?.startsWith(`${volumes}/`) ? source.slice(volumes.length + 1) : source;
    if (!name || !/^[a-zA-Z0-9][a-zA-Z0-9_.-]{0,127}$/.test(name)) {
      throw new EngineError(
        'forbidden',
        `The bind "${text}" is not allowed on this socket: only volumes are.`,
      );
    }
  }
}

function refuseOtherNetworks(mode: string): void {
  if (/^[a-zA-Z0-9][a-zA-Z0-9_.-]{0,127}$/.test(mode) && mode !== 'host') return;
  throw new EngineError('forbidden', `HostConfig.NetworkMode "${mode}" is not allowed on this socket.`);
}

function refuseOtherValues(name: string, values: string[], allowed: string[]): void {
  const refused = values.find((value) => !allowed.includes(value));
  if (refused !== undefined) {
    throw new EngineError('forbidden', `HostConfig.${name} "${refused}" is not allowed on this socket.`);
  }
}
