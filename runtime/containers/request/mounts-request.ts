import { EngineError } from '../../engine-error.ts';
import { type MountsConfig, parseBind } from '../container-config.ts';
import { bindMount, isPlainPath, type MountRequest } from '../mount-points.ts';
import { RequestFields } from '../request-fields.ts';

const DEFAULT_SHM = 64 * 1024 * 1024;

/** The fields of HostConfig that `parseMounts` and `parseMountRequests` read. */
export const MOUNT_FIELDS = ['Binds', 'Mounts', 'ShmSize', 'VolumeDriver'];

/** Reads what is mounted into a container, as it is kept. Throws `invalid`. */
export function parseMounts(fields: RequestFields): MountsConfig {
  requireLocal(fields.string('VolumeDriver'));
  return {
    Binds: fields.strings('Binds').map(requireBind),
    ShmSize: fields.count('ShmSize', DEFAULT_SHM),
  };
}

/** Reads `Binds` and `Mounts` of HostConfig, tmpfs apart. Throws `invalid`. */
export function parseMountRequests(fields: RequestFields): MountRequest[] {
  const binds = fields.strings('Binds').map(requireBind).map(bindMount);
  const mounts = listOf(fields).filter((mount) => mount.string('Type') !== 'tmpfs');
  return [...binds, ...mounts.map(parseMount)];
}

/** The tmpfs among `Mounts`, as `Tmpfs` of HostConfig has them. Throws `invalid`. */
export function parseTmpfsAmongMounts(fields: RequestFields): Record<string, string> {
  const wanted = listOf(fields).filter((mount) => mount.string('Type') === 'tmpfs');
  return Object.fromEntries(
    wanted.map((mount) => {
      const options = mount.object('TmpfsOptions');
      const [size, mode] = [options.count('SizeBytes'), options.count('Mode')];
      const said = [
        size && `size=${size}`,
        mode && `mode=${mode.toString(8)}`,
        mount.boolean('ReadOnly') && 'ro',
      ];
      return [mount.string('Target'), said.filter(Boolean).join(',')];
    }),
  );
}

function listOf(fields: RequestFields): RequestFields[] {
  const list = fields.raw('Mounts') ?? [];
  if (!Array.isArray(list)) throw new EngineError('invalid', 'HostConfig.Mounts must be a list.');
  return list.map((item) => new RequestFields(item, 'HostConfig.Mounts'));
}

function parseMount(mount: RequestFields): MountRequest {
  const [type, source, target] = [mount.string('Type'), mount.string('Source'), mount.string('Target')];
  const readOnly = mount.boolean('ReadOnly');
  if (type === 'bind') return parseBindMount(mount, { source, target, readOnly });
  if (type !== 'volume') {
    throw new EngineError(
      'invalid',
      `This runtime does not support mounts of type "${type}": volume, bind or tmpfs.`,
    );
  }
  const options = mount.object('VolumeOptions');
  requireLocal(options.object('DriverConfig').string('Name'));
  if (options.object('DriverConfig').says('Options') || options.says('Subpath')) {
    throw new EngineError(
      'invalid',
      'This runtime does not support options of a volume’s driver, nor subpaths.',
    );
  }
  const noCopy = options.boolean('NoCopy');
  return {
    ...{ type, target, readOnly, noCopy, labels: options.map('Labels') },
    ...(source !== '' && { name: source }),
  };
}

function parseBindMount(
  mount: RequestFields,
  { source, target, readOnly }: { source: string; target: string; readOnly: boolean },
): MountRequest {
  if (!isPlainPath(source)) {
    throw new EngineError('invalid', `The source "${source}" must be an absolute path, without "." or "..".`);
  }
  const propagation = mount.object('BindOptions').string('Propagation');
  if (!['', 'private', 'rprivate'].includes(propagation)) {
    throw new EngineError(
      'invalid',
      `This runtime does not support the propagation "${propagation}": private.`,
    );
  }
  return { type: 'bind', source: source.replace(/(?<=.)\/+$/, ''), target, readOnly };
}

function requireLocal(driver: string): void {
  if (['', 'local'].includes(driver)) return;
  throw new EngineError('invalid', `There is no volume driver "${driver}": local.`);
}

function requireBind(text: string): string {
  const bind = parseBind(text);
  const named = /^[a-zA-Z0-9][a-zA-Z0-9_.-]{0,127}$/.test(bind?.source ?? '');
  if (!bind || !(named || isPlainPath(bind.source)) || !isPlainPath(bind.target) || bind.target === '/') {
    throw new EngineError(
      'invalid',
      `"${text}" is not a bind: SOURCE:TARGET[:ro], both absolute, without "." or "..".`,
    );
  }
  return text;
}
