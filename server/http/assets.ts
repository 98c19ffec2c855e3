import { createHash } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { promisify } from 'node:util';
import { brotliCompress, constants, gzip } from 'node:zlib';
import type { Request, Response } from 'express';

interface Asset {
  /** e.g. `app.3f9a0c11d2e4.css` */
  fileName: string;
  type: string;
  body: Buffer;
  /** Made when first asked for, then kept. */
  encoded: Map<Encoding, Promise<Buffer>>;
}

type Encoding = 'br' | 'gzip';

const STATIC = new URL('../../views/static/', import.meta.url);

/**
 * The only files that are served, by name. One script, because two deferred ones race: hx-sse must find htmx, and
 * ours must find both.
 */
const SOURCES: Record<string, { type: string; files: URL[] }> = {
  'app.css': { type: 'text/css; charset=utf-8', files: [new URL('app.css', STATIC)] },
  'app.js': {
    type: 'text/javascript; charset=utf-8',
    files: [
      packageFile('htmx.org/dist/htmx.min.js'),
      packageFile('htmx.org/dist/ext/hx-sse.min.js'),
      new URL('log-viewer.js', STATIC),
      new URL('app.js', STATIC),
    ],
  },
  'favicon.svg': { type: 'image/svg+xml', files: [new URL('favicon.svg', STATIC)] },
};

/** Static files under names that carry their content's hash, compressed once, cacheable for ever. */
export class Assets {
  #byName = new Map<string, Asset>();
  #byFileName = new Map<string, Asset>();

  /** The address of a file of the allow-list, e.g. `/assets/app.3f9a0c11d2e4.css`. */
  url(name: string): string {
    return `/assets/${this.#load(name).fileName}`;
  }

  /** Answers `GET /assets/:file`; 404 for anything but the current files. */
  async serve(req: Request, res: Response): Promise<void> {
    for (const name of Object.keys(SOURCES)) this.#load(name);
    const asset = this.#byFileName.get(String(req.params.file));
    if (!asset) {
      res.status(404).type('text/plain').send('No such file.\n');
      return;
    }
    const encoding = req.acceptsEncodings('br', 'gzip');
    res.set({
      'Content-Type': asset.type,
      'Cache-Control': 'public, max-age=31536000, immutable',
      Vary: 'Accept-Encoding',
    });
    if (encoding === 'br' || encoding === 'gzip') {
      res.set('Content-Encoding', encoding).end(await encode(asset, encoding));
    } else {
      res.end(asset.body);
    }
  }

  #load(name: string): Asset {
    const known = this.#byName.get(name);
    if (known) return known;
    const source = SOURCES[name];
    if (!source) throw new Error(`No asset "${name}".`);
    const body = Buffer.concat(source.files.flatMap((file) => [readFileSync(file), Buffer.from('\n')]));
    const hash = createHash('sha256').update(body).digest('hex').slice(0, 12);
    const asset = { fileName: name.replace('.', `.${hash}.`), type: source.type, body, encoded: new Map() };
    this.#byName.set(name, asset);
    this.#byFileName.set(asset.fileName, asset);
    return asset;
  }
}

function encode(asset: Asset, encoding: Encoding): Promise<Buffer> {
  const known = asset.encoded.get(encoding);
  if (known) return known;
  const made =
    encoding === 'br'
      ? promisify(brotliCompress)(asset.body, { params: { [constants.BROTLI_PARAM_QUALITY]: 11 } })
      : promisify(gzip)(asset.body, { level: 9 });
  asset.encoded.set(encoding, made);
  return made;
}

function packageFile(path: string): URL {
  return new URL(import.meta.resolve(path));
}
