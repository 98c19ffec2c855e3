import { createHash } from 'node:crypto';

/** What containers of an image start with, spelt as the Engine API does. */
export interface ImageConfig {
  Env: string[];
  Cmd: string[];
  Entrypoint: string[];
  WorkingDir: string;
  User: string;
  Labels: Record<string, string>;
  ExposedPorts: Record<string, object>;
  /** Folders for which each container gets a volume of its own. */
  Volumes?: Record<string, object>;
  StopSignal?: string;
  Healthcheck?: object;
  /** Instructions for builds on top of it: kept for those who build elsewhere. */
  OnBuild?: string[];
  Shell?: string[];
}

/** How one layer came to be, or a change without a layer; spelt as in the OCI's image config. */
export interface HistoryEntry {
  /** ISO 8601. */
  created: string;
  created_by: string;
  comment?: string;
  author?: string;
  /** It changed the config alone. */
  empty_layer?: boolean;
}

/** One image, as it stands in `images/<id>.json`. */
export interface Image {
  /** 64 hex digits: the sha256 of the content; of its OCI config, if it came as an archive. */
  id: string;
  /** Reference with tag → when it was given (milliseconds since 1970): of two claims the later one counts. */
  tags: Record<string, number>;
  /** Layer ids, bottom first. */
  layers: string[];
  config: ImageConfig;
  /** The id of the image that its container was made from. */
  parent: string | undefined;
  /** ISO 8601. */
  created: string;
  author?: string;
  comment?: string;
  /** Oldest first; absent in what was made before there was any. */
  history?: HistoryEntry[];
  /** `platform`: made through the socket with the policy, whose owner removes what it does not need; absent: the same. */
  origin?: 'root' | 'platform';
}

/** An image without tags, named by its content. */
export function createImage(content: Omit<Image, 'id' | 'tags'>): Image {
  const { layers, config, parent, created, author, comment, history, origin } = content;
  const named = JSON.stringify({ layers, config, parent, created, author, comment, history });
  const id = createHash('sha256').update(named).digest('hex');
  const described = { ...(author && { author }), ...(comment && { comment }), ...(history && { history }) };
  return { id, tags: {}, layers, config, parent, created, ...described, ...(origin && { origin }) };
}

/** How each of the image's layers came to be, oldest first; what is not known is said so. */
export function historyOf(image: Image): HistoryEntry[] {
  const known = image.history ?? [];
  const missing = image.layers.length - known.filter((entry) => !entry.empty_layer).length;
  const unknown = Array.from({ length: Math.max(0, missing) }, () => ({
    created: image.created,
    created_by: '',
  }));
  return [...unknown, ...known];
}

/** What `over` says in place of `config`; variables and labels are merged by name. */
export function mergeConfig(config: ImageConfig, over: Partial<ImageConfig>): ImageConfig {
  return {
    Env: mergeEnv(config.Env, over.Env ?? []),
    Cmd: over.Cmd?.length ? over.Cmd : config.Cmd,
    Entrypoint: over.Entrypoint?.length ? over.Entrypoint : config.Entrypoint,
    WorkingDir: over.WorkingDir || config.WorkingDir,
    User: over.User || config.User,
    Labels: { ...config.Labels, ...over.Labels },
    ExposedPorts: { ...config.ExposedPorts, ...over.ExposedPorts },
    ...mergeOptional(config, over),
  };
}

/** Fields that most images do not have stay away from the others' records. */
function mergeOptional(config: ImageConfig, over: Partial<ImageConfig>): Partial<ImageConfig> {
  const Volumes = { ...config.Volumes, ...over.Volumes };
  const { StopSignal, Healthcheck, OnBuild, Shell } = { ...config, ...withoutUndefined(over) };
  return withoutUndefined({
    Volumes: Object.keys(Volumes).length > 0 ? Volumes : undefined,
    StopSignal,
    Healthcheck,
    OnBuild,
    Shell,
  });
}

/** Without the fields that are there but undefined. */
export function withoutUndefined<T extends object>(value: T): { [K in keyof T]?: Exclude<T[K], undefined> } {
  return Object.fromEntries(Object.entries(value).filter(([, item]) => item !== undefined)) as never;
}

/** Both lists' `NAME=value`, the second list's where both have a name. `NAME` alone removes it. */
export function mergeEnv(base: string[], over: string[]): string[] {
  const merged = new Map<string, string>();
  for (const entry of [...base, ...over]) {
    const name = entry.split('=', 1)[0]!;
    if (name === entry) merged.delete(name);
    else merged.set(name, entry);
  }
  return [...merged.values()];
}
