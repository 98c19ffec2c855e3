import { createHash } from 'node:crypto';
import { EngineError } from '../engine-error.ts';
import { type HistoryEntry, historyOf, type Image, type ImageConfig, withoutUndefined } from './image.ts';

/** The `config` object of an image: the part of OCI's image-spec (config.md) and Docker's that is known here. */
interface OciImage {
  architecture: string;
  os: string;
  created?: string | undefined;
  author?: string | undefined;
  comment?: string | undefined;
  config: Partial<ImageConfig>;
  rootfs: { type: 'layers'; diff_ids: string[] };
  history?: HistoryEntry[] | undefined;
}

export const ARCHITECTURE = process.arch === 'x64' ? 'amd64' : process.arch;
const DIGEST = /^sha256:[0-9a-f]{64}$/;
const EPOCH = '1970-01-01T00:00:00Z';

/** An image as others know it; `digests` are of its layers. The same image and digests give the same text. */
export function ociConfigOf(image: Image, digests: string[]): string {
  const { Env, Cmd, Entrypoint, WorkingDir, User, Labels, ExposedPorts, ...rest } = image.config;
  const config = withoutEmpty({ User, ExposedPorts, Env, Entrypoint, Cmd, WorkingDir, Labels, ...rest });
  const document: OciImage = {
    architecture: ARCHITECTURE,
    os: 'linux',
    created: image.created,
    author: image.author,
    comment: image.comment,
    config,
    rootfs: { type: 'layers', diff_ids: digests },
    history: historyOf(image).map(inOrder),
  };
  return JSON.stringify(document);
}

function inOrder({ created, created_by, author, comment, empty_layer }: HistoryEntry): HistoryEntry {
  return { created, created_by, ...withoutUndefined({ author, comment, empty_layer }) };
}

/** What an archive says about an image; the image lacks its layers. Throws `invalid`. */
export function parseOciConfig(text: string): { image: Omit<Image, 'layers' | 'tags'>; diffIds: string[] } {
  const document = parseObject(text, 'The image’s config');
  const { architecture = ARCHITECTURE, os = 'linux', rootfs } = document as Partial<OciImage>;
  if (os !== 'linux' || architecture !== ARCHITECTURE) {
    throw new EngineError(
      'invalid',
      `The image is for ${os}/${architecture}, not for linux/${ARCHITECTURE}.`,
    );
  }
  const diffIds: unknown = rootfs?.diff_ids;
  if (!Array.isArray(diffIds) || !diffIds.every((id) => typeof id === 'string' && DIGEST.test(id))) {
    throw new EngineError('invalid', 'The image’s config has no list of layers (rootfs.diff_ids).');
  }
  const created = timeOf(document.created);
  const history = historyIn(document.history, created);
  const said = { author: textOrNothing(document.author), comment: textOrNothing(document.comment) };
  const image = {
    id: createHash('sha256').update(text).digest('hex'),
    config: configOf(document.config),
    parent: undefined,
    created,
    ...withoutUndefined(said),
    history,
  };
  return { image, diffIds };
}

function configOf(value: unknown): ImageConfig {
  const said = (value ?? {}) as Record<string, unknown>;
  if (typeof said !== 'object') throw malformed('config');
  const config = {
    Env: listIn(said, 'Env'),
    Cmd: listIn(said, 'Cmd'),
    Entrypoint: listIn(said, 'Entrypoint'),
    WorkingDir: textIn(said, 'WorkingDir'),
    User: textIn(said, 'User'),
    Labels: mapIn(said, 'Labels'),
    ExposedPorts: setIn(said, 'ExposedPorts'),
  };
  if (config.WorkingDir !== '' && !config.WorkingDir.startsWith('/')) throw malformed('WorkingDir');
  const volumes = setIn(said, 'Volumes');
  return {
    ...config,
    ...withoutUndefined({
      Volumes: Object.keys(volumes).length > 0 ? volumes : undefined,
      StopSignal: textIn(said, 'StopSignal') || undefined,
      Healthcheck: healthIn(said),
      OnBuild: said.OnBuild ? listIn(said, 'OnBuild') : undefined,
      Shell: said.Shell ? listIn(said, 'Shell') : undefined,
    }),
  };
}

function historyIn(value: unknown, created: string): HistoryEntry[] {
  if (!Array.isArray(value)) return [];
  return value.map((entry: Partial<HistoryEntry>) => ({
    created: timeOf(entry?.created ?? created),
    created_by: textOrNothing(entry?.created_by) ?? '',
    ...withoutUndefined({ comment: textOrNothing(entry?.comment), author: textOrNothing(entry?.author) }),
    ...(entry?.empty_layer === true && { empty_layer: true as const }),
  }));
}

/** Throws `invalid`. */
export function parseObject(text: string, what: string): Record<string, unknown> {
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch {
    value = undefined;
  }
  if (typeof value === 'object' && value !== null) return value as Record<string, unknown>;
  throw new EngineError('invalid', `${what} is not JSON.`);
}

function timeOf(value: unknown): string {
  return typeof value === 'string' && !Number.isNaN(Date.parse(value)) ? value : EPOCH;
}

function textOrNothing(value: unknown): string | undefined {
  return typeof value === 'string' && value !== '' ? value : undefined;
}

function objectOrNothing(value: unknown): object | undefined {
  return typeof value === 'object' && value !== null ? value : undefined;
}

/** Others could not read an image whose numbers are none of theirs: it would load, and not be inspected. */
function healthIn(said: Record<string, unknown>): object | undefined {
  const health = objectOrNothing(said.Healthcheck) as Record<string, unknown> | undefined;
  const numbers = ['Interval', 'Timeout', 'StartPeriod', 'StartInterval', 'Retries'];
  if (health && numbers.some((name) => !Number.isSafeInteger(health[name] ?? 0)))
    throw malformed('Healthcheck');
  return health;
}

function textIn(said: Record<string, unknown>, name: string): string {
  const value = said[name] ?? '';
  if (typeof value !== 'string' || value.includes('\0')) throw malformed(name);
  return value;
}

function listIn(said: Record<string, unknown>, name: string): string[] {
  const value = said[name] ?? [];
  if (!Array.isArray(value) || value.some((item) => typeof item !== 'string' || item.includes('\0')))
    throw malformed(name);
  return value;
}

function mapIn(said: Record<string, unknown>, name: string): Record<string, string> {
  const value = said[name] ?? {};
  if (typeof value !== 'object' || Object.values(value).some((item) => typeof item !== 'string'))
    throw malformed(name);
  return { ...(value as Record<string, string>) };
}

function setIn(said: Record<string, unknown>, name: string): Record<string, object> {
  const value = said[name] ?? {};
  if (typeof value !== 'object') throw malformed(name);
  return Object.fromEntries(Object.keys(value).map((key) => [key, {}]));
}

function withoutEmpty(config: ImageConfig): Partial<ImageConfig> {
  const said = Object.entries(config).filter(
    ([, value]) => value !== undefined && value !== '' && Object.keys(value).length > 0,
  );
  return Object.fromEntries(said);
}

function malformed(name: string): EngineError {
  return new EngineError('invalid', `The image’s config is malformed: ${name}.`);
}
