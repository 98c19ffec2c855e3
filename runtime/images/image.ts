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
}

/** One image, as it stands in `images/<id>.json`. */
export interface Image {
  /** 64 hex digits: the sha256 of all below but the tags. */
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
}

/** An image without tags, named by its content. */
export function createImage(content: Omit<Image, 'id' | 'tags'>): Image {
  const { layers, config, parent, created } = content;
  const id = createHash('sha256').update(JSON.stringify({ layers, config, parent, created })).digest('hex');
  return { id, tags: {}, layers, config, parent, created };
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
  };
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
