import { EngineError } from '../../engine-error.ts';
import { type ImageConfig, mergeEnv, withoutUndefined } from '../../images/image.ts';
import type { ProcessConfig } from '../container-config.ts';
import { RequestFields } from '../request-fields.ts';
import { parseSignal } from '../signals.ts';
import { mergeHealth, parseHealthcheck } from './health-request.ts';

const DEFAULT_STOP_SECONDS = 10;

/** Reads what of a create request is about the process, over the image's config. Throws `invalid`. */
export function parseProcess(fields: RequestFields, image: ImageConfig): ProcessConfig {
  const asked = parseImageConfig(fields);
  const entrypoint = asked.Entrypoint?.length ? asked.Entrypoint.filter((part) => part !== '') : undefined;
  const stopSignal = fields.string('StopSignal') || image.StopSignal || 'SIGTERM';
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
    Domainname: parseDomainName(fields.string('Domainname')),
    Tty: fields.boolean('Tty'),
    OpenStdin: fields.boolean('OpenStdin'),
    StdinOnce: fields.boolean('StdinOnce'),
    AttachStdin: fields.boolean('AttachStdin'),
    AttachStdout: fields.boolean('AttachStdout'),
    AttachStderr: fields.boolean('AttachStderr'),
    StopSignal: stopSignal,
    StopTimeout:
      fields.raw('StopTimeout') == null ? DEFAULT_STOP_SECONDS : fields.integer('StopTimeout', { min: -1 }),
    Healthcheck: mergeHealth(
      parseHealthcheck(new RequestFields(image.Healthcheck ?? {}, 'The image’s Healthcheck')),
      parseHealthcheck(fields.object('Healthcheck')),
    ),
  };
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
    ...withoutUndefined({ Healthcheck: parseHealthcheck(fields.object('Healthcheck')) }),
  };
}

function parseHostname(name: string): string {
  if (name !== '' && !/^[a-zA-Z0-9_][a-zA-Z0-9_.-]{0,62}$/.test(name)) {
    throw new EngineError('invalid', `"${name}" is not a host name of at most 63 characters.`);
  }
  return name;
}

function parseDomainName(name: string): string {
  if (name !== '' && !/^[a-zA-Z0-9_][a-zA-Z0-9_.-]{0,63}$/.test(name)) {
    throw new EngineError('invalid', `"${name}" is not a domain name of at most 64 characters.`);
  }
  return name;
}

function parseWorkingDir(path: string): string {
  if (path !== '' && !path.startsWith('/')) {
    throw new EngineError('invalid', `WorkingDir must be an absolute path, not "${path}".`);
  }
  return path;
}
