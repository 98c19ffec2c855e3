import { EngineError } from '../engine-error.ts';
import { type ImageConfig, mergeEnv } from '../images/image.ts';
import { type HostConfig, type ProcessConfig, parseBind } from './container-config.ts';
import { RequestFields } from './request-fields.ts';
import { parseSignal } from './signals.ts';

const DEFAULT_PIDS = 512;
const DEFAULT_SHM = 64 * 1024 * 1024;
const DEFAULT_STOP_SECONDS = 10;

/** What HostConfig can say that this runtime knows how to do; see `parseHost` for the values. */
const KNOWN_HOST_FIELDS = new Set([
  ...['Memory', 'NanoCpus', 'CpuShares', 'PidsLimit', 'NetworkMode', 'Binds', 'ExtraHosts', 'ShmSize'],
  ...['AutoRemove', 'CapAdd', 'RestartPolicy', 'Annotations'],
  // Said by clients without a wish behind it, or granted anyway.
  ...[
    'ConsoleSize',
    'LogConfig',
    'CapDrop',
    'Init',
    'MemorySwappiness',
    'MemorySwap',
    'Runtime',
    'Isolation',
  ],
  ...[
    'IpcMode',
    'CgroupnsMode',
    'PidMode',
    'UTSMode',
    'UsernsMode',
    'SecurityOpt',
    'MaskedPaths',
    'ReadonlyPaths',
  ],
]);

/** Reads the body of `POST /containers/create` over the image's config. Throws `invalid`, also for what this runtime cannot do. */
export function parseCreateRequest(
  body: unknown,
  image: ImageConfig,
): { process: ProcessConfig; host: HostConfig } {
  const fields = new RequestFields(body);
  const process = parseProcess(fields, image);
  if (process.Entrypoint.length + process.Cmd.length === 0) {
    throw new EngineError('invalid', 'No command specified: neither the request nor the image has one.');
  }
  return { process, host: parseHost(fields.object('HostConfig')) };
}

/** Reads the part of a create or commit request that an image can hold, too. Throws `invalid`. */
export function parseImageConfig(fields: RequestFields): Partial<ImageConfig> {
  return {
    Env: fields.strings('Env'),
    Cmd: fields.strings('Cmd'),
    Entrypoint: fields.strings('Entrypoint'),
    WorkingDir: parseWorkingDir(fields.string('WorkingDir')),
    User: fields.string('User'),
    Labels: fields.map('Labels'),
    ExposedPorts: fields.set('ExposedPorts'),
  };
}

function parseProcess(fields: RequestFields, image: ImageConfig): ProcessConfig {
  const asked = parseImageConfig(fields);
  const entrypoint = asked.Entrypoint?.length ? asked.Entrypoint.filter((part) => part !== '') : undefined;
  const stopSignal = fields.string('StopSignal', 'SIGTERM') || 'SIGTERM';
  parseSignal(stopSignal);
  return {
    Env: mergeEnv(image.Env, asked.Env!),
    // An entrypoint of one's own makes the image's command meaningless.
    Cmd: asked.Cmd?.length ? asked.Cmd : entrypoint ? [] : image.Cmd,
    Entrypoint: entrypoint ?? image.Entrypoint,
    WorkingDir: asked.WorkingDir || image.WorkingDir || '/',
    User: asked.User || image.User,
    Labels: { ...image.Labels, ...asked.Labels },
    ExposedPorts: { ...image.ExposedPorts, ...asked.ExposedPorts },
    Hostname: parseHostname(fields.string('Hostname')),
    Tty: fields.boolean('Tty'),
    OpenStdin: fields.boolean('OpenStdin'),
    StdinOnce: fields.boolean('StdinOnce'),
    AttachStdin: fields.boolean('AttachStdin'),
    AttachStdout: fields.boolean('AttachStdout'),
    AttachStderr: fields.boolean('AttachStderr'),
    StopSignal: stopSignal,
    StopTimeout: fields.count('StopTimeout', DEFAULT_STOP_SECONDS),
  };
}

function parseHost(fields: RequestFields): HostConfig {
  const unknown = fields.names().filter((name) => !KNOWN_HOST_FIELDS.has(name));
  if (unknown.length > 0) {
    throw new EngineError('invalid', `This runtime does not support HostConfig.${unknown.join(', ')}.`);
  }
  for (const name of ['IpcMode', 'CgroupnsMode', 'PidMode', 'UTSMode', 'UsernsMode']) {
    requireOneOf(fields, name, ['', 'private']);
  }
  requireOneOf(fields, 'Runtime', ['', 'paas']);
  requireOneOf(fields.object('RestartPolicy'), 'Name', ['', 'no']);
  const securityOptions = fields
    .strings('SecurityOpt')
    .filter((option) => !/^no-new-privileges([:=]true)?$/.test(option));
  if (securityOptions.length > 0) {
    throw new EngineError(
      'invalid',
      `This runtime does not support HostConfig.SecurityOpt "${securityOptions[0]}".`,
    );
  }
  return {
    Memory: fields.count('Memory'),
    NanoCpus: fields.count('NanoCpus'),
    CpuShares: fields.count('CpuShares'),
    PidsLimit: fields.count('PidsLimit', DEFAULT_PIDS),
    NetworkMode: parseNetworkMode(fields.string('NetworkMode')),
    Binds: fields.strings('Binds').map(requireBind),
    ExtraHosts: fields.strings('ExtraHosts').map(requireExtraHost),
    ShmSize: fields.count('ShmSize', DEFAULT_SHM),
    AutoRemove: fields.boolean('AutoRemove'),
    CapAdd: fields.strings('CapAdd').map(parseCapability),
  };
}

function parseNetworkMode(mode: string): 'default' | 'none' {
  if (mode === 'none') return 'none';
  if (['', 'default', 'bridge', 'nat'].includes(mode)) return 'default';
  throw new EngineError(
    'invalid',
    `This runtime does not support HostConfig.NetworkMode "${mode}": bridge or none.`,
  );
}

function parseCapability(name: string): string {
  const upper = name.toUpperCase();
  if (!/^[A-Z_]{1,40}$/.test(upper))
    throw new EngineError('invalid', `"${name}" is not a capability, e.g. CHOWN.`);
  return upper.startsWith('CAP_') ? upper : `CAP_${upper}`;
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

function isPlainPath(path: string): boolean {
  return path.startsWith('/') && !path.split('/').some((part) => part === '.' || part === '..');
}

function requireExtraHost(text: string): string {
  if (!/^[a-zA-Z0-9._-]{1,253}:[0-9a-fA-F.:]{2,45}$/.test(text)) {
    throw new EngineError('invalid', `"${text}" is not an extra host: NAME:IP.`);
  }
  return text;
}

function requireOneOf(fields: RequestFields, name: string, values: string[]): void {
  const value = fields.string(name);
  if (!values.includes(value))
    throw new EngineError('invalid', `This runtime does not support ${name} "${value}".`);
}

function parseHostname(name: string): string {
  if (name !== '' && !/^[a-zA-Z0-9][a-zA-Z0-9.-]{0,62}$/.test(name)) {
    throw new EngineError('invalid', `"${name}" is not a host name of at most 63 characters.`);
  }
  return name;
}

function parseWorkingDir(path: string): string {
  if (path !== '' && !path.startsWith('/')) {
    throw new EngineError('invalid', `WorkingDir must be an absolute path, not "${path}".`);
  }
  return path;
}
