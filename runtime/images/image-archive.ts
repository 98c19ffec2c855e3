import { closeSync, fstatSync, readFileSync } from 'node:fs';
import { EngineError } from '../engine-error.ts';
import { openFileBelow } from '../syscall/folder.ts';
import { ARCHITECTURE, parseObject } from './oci-config.ts';

const MAX_DOCUMENT = 8 * 1024 * 1024;

/** One image of an archive: what to read where in it. */
export interface ArchivedImage {
  names: string[];
  /** Path of its config. */
  config: string;
  /** Paths of its layers, bottom first. */
  layers: string[];
}

/** The unpacked files of what `docker save` and its like write. Nothing in it is trusted: paths are followed below `root` alone. */
export class ImageArchive {
  readonly root: number;

  constructor(root: number) {
    this.root = root;
  }

  /** What is in it: by Docker's `manifest.json`, else by the OCI's `index.json`. Throws `invalid`. */
  images(): ArchivedImage[] {
    if (this.#has('manifest.json')) return this.#dockerImages();
    if (this.#has('index.json')) return this.#ociImages('index.json', []);
    throw new EngineError(
      'invalid',
      'This is no archive of images: it has neither manifest.json nor index.json.',
    );
  }

  /** A document's text. Throws `invalid`. */
  text(path: string): string {
    const fd = this.open(path);
    try {
      if (fstatSync(fd).size > MAX_DOCUMENT)
        throw new EngineError('invalid', `"${path}" in the archive is too large.`);
      return readFileSync(fd, 'utf8');
    } finally {
      closeSync(fd);
    }
  }

  /** A file, for reading; the caller closes it. Throws `invalid`. */
  open(path: string): number {
    const fd = openFileBelow(this.root, path);
    if (fd === undefined) throw new EngineError('invalid', `The archive has no file "${path}".`);
    return fd;
  }

  #has(path: string): boolean {
    const fd = openFileBelow(this.root, path);
    if (fd !== undefined) closeSync(fd);
    return fd !== undefined;
  }

  /** https://github.com/moby/docker-image-spec */
  #dockerImages(): ArchivedImage[] {
    const list = parseObject(this.text('manifest.json'), 'manifest.json');
    if (!Array.isArray(list)) throw malformed('manifest.json');
    return list.map((item: { Config?: unknown; Layers?: unknown; RepoTags?: unknown } | null) => {
      const { Config: config, Layers: layers, RepoTags: names } = item ?? {};
      if (typeof config !== 'string' || !isTexts(layers)) throw malformed('manifest.json');
      return { config, layers, names: isTexts(names) ? names : [] };
    });
  }

  /** image-spec, image-layout.md, image-index.md and manifest.md. An index may hold others, one for each kind of machine. */
  #ociImages(path: string, names: string[], depth = 0): ArchivedImage[] {
    const { manifests } = parseObject(this.text(path), path);
    if (!Array.isArray(manifests) || depth > 3) throw malformed(path);
    return (manifests as Descriptor[]).filter(isForUs).flatMap((descriptor) => {
      const known = [...names, ...namesOf(descriptor)];
      const blob = blobPath(descriptor);
      const document = parseObject(this.text(blob), blob);
      if (document.manifests !== undefined) return this.#ociImages(blob, known, depth + 1);
      const { config, layers } = document as { config?: Descriptor; layers?: Descriptor[] };
      if (!config || !Array.isArray(layers)) throw malformed(blob);
      return [{ names: known, config: blobPath(config), layers: layers.map(blobPath) }];
    });
  }
}

interface Descriptor {
  digest?: unknown;
  platform?: { os?: unknown; architecture?: unknown };
  annotations?: Record<string, unknown>;
}

function isForUs({ platform }: Descriptor): boolean {
  return !platform || (platform.os === 'linux' && platform.architecture === ARCHITECTURE);
}

function blobPath({ digest }: Descriptor): string {
  const match = /^(sha256):([0-9a-f]{64})$/.exec(String(digest));
  if (!match) throw new EngineError('invalid', `The archive names a blob "${String(digest).slice(0, 100)}".`);
  return `blobs/${match[1]}/${match[2]}`;
}

/** containerd's whole name; the OCI's own annotation may be a tag alone, which names nothing. */
function namesOf({ annotations = {} }: Descriptor): string[] {
  const name = annotations['io.containerd.image.name'] ?? annotations['org.opencontainers.image.ref.name'];
  return typeof name === 'string' && /[:/]/.test(name) ? [name] : [];
}

function isTexts(value: unknown): value is string[] {
  return Array.isArray(value) && value.every((item) => typeof item === 'string');
}

function malformed(path: string): EngineError {
  return new EngineError('invalid', `"${path}" in the archive is malformed.`);
}
