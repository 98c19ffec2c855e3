// Serves the files of one folder over HTTP: `node server.js FOLDER`, on $PORT (5000 without). It runs inside a dyno, on
// node alone, behind the router (which logs the requests). RFC 9110 for conditional requests and ranges.
import { createHash } from 'node:crypto';
import { createReadStream } from 'node:fs';
import { open, realpath } from 'node:fs/promises';
import { createServer } from 'node:http';
import { extname, resolve, sep } from 'node:path';
import { pipeline } from 'node:stream/promises';
import { promisify } from 'node:util';
import { gzip } from 'node:zlib';

const root = await realpath(resolve(process.argv[2] ?? '.'));
const text = 'text/plain; charset=utf-8';
const types = {
  html: 'text/html; charset=utf-8',
  htm: 'text/html; charset=utf-8',
  css: 'text/css; charset=utf-8',
  js: 'text/javascript; charset=utf-8',
  mjs: 'text/javascript; charset=utf-8',
  json: 'application/json',
  map: 'application/json',
  webmanifest: 'application/manifest+json',
  xml: 'application/xml',
  atom: 'application/atom+xml',
  rss: 'application/rss+xml',
  txt: text,
  md: 'text/markdown; charset=utf-8',
  csv: 'text/csv; charset=utf-8',
  ics: 'text/calendar; charset=utf-8',
  vtt: 'text/vtt; charset=utf-8',
  svg: 'image/svg+xml',
  png: 'image/png',
  jpg: 'image/jpeg',
  jpeg: 'image/jpeg',
  gif: 'image/gif',
  webp: 'image/webp',
  avif: 'image/avif',
  ico: 'image/x-icon',
  woff: 'font/woff',
  woff2: 'font/woff2',
  ttf: 'font/ttf',
  otf: 'font/otf',
  mp3: 'audio/mpeg',
  ogg: 'audio/ogg',
  wav: 'audio/wav',
  mp4: 'video/mp4',
  webm: 'video/webm',
  pdf: 'application/pdf',
  zip: 'application/zip',
  gz: 'application/gzip',
  wasm: 'application/wasm',
};
const compressible = /^text\/|\+xml|\/xml|\+json|\/json|\/wasm/;
/** The pusher's files about the app, which are no part of the site. */
const notServed = new Set(['Procfile', 'app.json']);
/** Larger files are streamed, and not compressed. */
const inMemory = 1024 * 1024;

/** Path → what was read from it, as long as the file stays the same. At most `cacheLimit` bytes of bodies. */
const cache = new Map();
const cacheLimit = 32 * 1024 * 1024;
let cached = 0;

const server = createServer((request, response) => {
  answer(request, response).catch((error) => {
    console.error(`Could not serve ${JSON.stringify(request.url)}: ${error.message}`);
    if (response.headersSent) response.destroy();
    else sendText(response, 500, 'Internal server error');
  });
});
server.keepAliveTimeout = 95_000;
server.listen(Number(process.env.PORT ?? 5000), () => {
  console.log(`Serving ${root} on port ${server.address().port}`);
});
for (const signal of ['SIGTERM', 'SIGINT']) {
  process.once(signal, () => {
    server.close(() => process.exit(0));
    server.closeIdleConnections();
  });
}

async function answer(request, response) {
  if (request.method !== 'GET' && request.method !== 'HEAD') {
    response.setHeader('Allow', 'GET, HEAD');
    return sendText(response, 405, 'Method not allowed');
  }
  const names = namesOf(request.url);
  if (names === undefined) return sendText(response, 400, 'Bad request');
  const found = await find(names);
  if (found?.redirect) {
    const query = request.url.indexOf('?');
    response.setHeader('Location', found.redirect + (query === -1 ? '' : request.url.slice(query)));
    return sendText(response, 301, 'Moved permanently');
  }
  if (found) return withFile(found.path, (file) => send(request, response, { file, status: 200 }));
  const own = await find(['404.html']);
  if (own?.path) return withFile(own.path, (file) => send(request, response, { file, status: 404 }));
  return sendText(response, 404, 'Not found');
}

/** The path's names, decoded; the last is '' for a folder. Undefined for what is no path of this site. */
function namesOf(url) {
  const path = url.replace(/[?#].*$/s, '');
  if (!path.startsWith('/')) return undefined;
  try {
    const names = path.slice(1).split('/').map(decodeURIComponent);
    return names.some((name) => /[/\0]/.test(name) || name === '..' || name === '.') ? undefined : names;
  } catch {
    return undefined;
  }
}

/** The file for a path: itself, or the index.html of a folder. Hidden files stay hidden, whatever links to them. */
async function find(names) {
  const last = names.at(-1);
  const inner = names.slice(0, -1);
  if (inner.includes('') || names.some(isHidden) || (names.length === 1 && notServed.has(last)))
    return undefined;
  const wanted = last === '' ? [...inner, 'index.html'] : names;
  const path = await realpath([root, ...wanted].join(sep)).catch(() => undefined);
  if (path === undefined || !path.startsWith(root + sep)) return undefined;
  if (
    path
      .slice(root.length + 1)
      .split(sep)
      .some(isHidden)
  )
    return undefined;
  const kind = await withFile(path, ({ stats }) =>
    stats.isFile() ? 'file' : stats.isDirectory() ? 'folder' : '',
  );
  if (kind === 'file') return { path };
  if (kind !== 'folder' || last === '') return undefined;
  const index = await find([...names, '']);
  return index && { redirect: `/${names.map(encodeURIComponent).join('/')}/` };
}

function isHidden(name) {
  return name.startsWith('.') && name !== '.well-known';
}

async function withFile(path, use) {
  const handle = await open(path).catch((error) => {
    if (['EACCES', 'ENOENT', 'ENXIO'].includes(error.code)) return undefined;
    throw error;
  });
  if (handle === undefined) return undefined;
  try {
    return await use({ path, handle, stats: await handle.stat() });
  } finally {
    await handle.close();
  }
}

async function send(request, response, { file, status }) {
  const entry = await load(file);
  const zipped = entry.zipped && acceptsGzip(request.headers['accept-encoding']);
  const body = zipped ? entry.zipped : entry.body;
  const etag = zipped ? `"${entry.hash}-gzip"` : `"${entry.hash}"`;
  response.setHeader('Content-Type', entry.type);
  response.setHeader('X-Content-Type-Options', 'nosniff');
  if (entry.zipped) response.setHeader('Vary', 'Accept-Encoding');
  if (status === 200) {
    response.setHeader('ETag', etag);
    response.setHeader('Last-Modified', entry.modified);
    response.setHeader('Cache-Control', cacheControl(file.path));
    response.setHeader('Accept-Ranges', 'bytes');
    if (notModified(request.headers, { entry, etag })) {
      response.removeHeader('Content-Type');
      return response.writeHead(304).end();
    }
  }
  const range = status === 200 && !zipped ? rangeOf(request, { entry, etag }) : undefined;
  if (range === 'unsatisfiable') {
    response.setHeader('Content-Range', `bytes */${entry.size}`);
    return sendText(response, 416, 'Range not satisfiable');
  }
  if (zipped) response.setHeader('Content-Encoding', 'gzip');
  if (range) response.setHeader('Content-Range', `bytes ${range.start}-${range.end}/${entry.size}`);
  const { start, end } = range ?? { start: 0, end: (body?.length ?? entry.size) - 1 };
  response.setHeader('Content-Length', end - start + 1);
  response.writeHead(range ? 206 : status);
  if (request.method === 'HEAD' || end < start) return response.end();
  if (body) return response.end(body.subarray(start, end + 1));
  await pipeline(createReadStream(file.path, { start, end }), response).catch((error) => {
    if (error.code !== 'ERR_STREAM_PREMATURE_CLOSE') throw error; // else the visitor went away
  });
}

/**
 * Size, hash, type and (for small files) body. The hash is the content's: files of an image can have one and the same time
 * of modification in every release. The change time tells when an image was unpacked, so only that serves as a date.
 */
async function load({ path, handle, stats }) {
  const known = cache.get(path);
  if (known?.changed === stats.ctimeMs && known.size === stats.size) return known;
  const type = types[extname(path).slice(1).toLowerCase()] ?? 'application/octet-stream';
  const body = stats.size <= inMemory ? await handle.readFile() : undefined;
  const zipped =
    body && body.length > 1024 && compressible.test(type) ? await promisify(gzip)(body) : undefined;
  const entry = {
    changed: stats.ctimeMs,
    modified: new Date(stats.ctimeMs).toUTCString(),
    size: body?.length ?? stats.size,
    hash: await hashOf(body ?? createReadStream(path)),
    type,
    body,
    zipped: zipped && zipped.length < body.length ? zipped : undefined,
  };
  remember(path, entry);
  return entry;
}

async function hashOf(content) {
  const hash = createHash('sha256');
  if (Buffer.isBuffer(content)) hash.update(content);
  else for await (const chunk of content) hash.update(chunk);
  return hash.digest('base64url').slice(0, 27);
}

function remember(path, entry) {
  const weight = ({ body, zipped }) => 1024 + (body?.length ?? 0) + (zipped?.length ?? 0);
  if (cache.has(path)) cached -= weight(cache.get(path));
  cache.delete(path);
  cache.set(path, entry);
  cached += weight(entry);
  for (const [oldest, { body, zipped }] of cache) {
    if (cached <= cacheLimit) break;
    cached -= weight({ body, zipped });
    cache.delete(oldest);
  }
}

/** Names that carry a hash of their content never change; all else is asked for again, which costs a 304. */
function cacheControl(path) {
  const fingerprint = /[.-]([0-9a-f]{8,})\.[^/]+$/.exec(path)?.[1];
  return fingerprint && /\d/.test(fingerprint)
    ? 'public, max-age=31536000, immutable'
    : 'public, max-age=0, must-revalidate';
}

function notModified(headers, { entry, etag }) {
  const tags = headers['if-none-match'];
  // Exactly this date, not a later one: after a rollback the files are older than what the visitor has.
  if (tags === undefined) return headers['if-modified-since'] === entry.modified;
  return tags.trim() === '*' || tags.split(',').some((tag) => tag.trim().replace(/^W\//, '') === etag);
}

function acceptsGzip(header = '') {
  return header.split(',').some((part) => /^\s*(gzip|\*)\s*(;\s*q=(?!0(\.0*)?\s*$).*)?$/i.test(part));
}

/** One range of bytes; undefined for none or several, which are answered with the whole file. */
function rangeOf({ headers, method }, { entry, etag }) {
  const match = method === 'GET' && /^bytes=(\d*)-(\d*)$/.exec(headers.range ?? '');
  const condition = headers['if-range'];
  if (!match || (match[1] === '' && match[2] === '')) return undefined;
  if (condition !== undefined && condition !== etag && condition !== entry.modified) return undefined;
  const last = entry.size - 1;
  const start = match[1] === '' ? Math.max(0, entry.size - Number(match[2])) : Number(match[1]);
  const end = match[1] === '' || match[2] === '' ? last : Math.min(Number(match[2]), last);
  if (match[1] !== '' && match[2] !== '' && Number(match[2]) < start) return undefined;
  return start > last ? 'unsatisfiable' : { start, end };
}

function sendText(response, status, message) {
  const body = `${message}\n`;
  response.setHeader('Content-Type', text);
  response.writeHead(status, { 'Content-Length': Buffer.byteLength(body) });
  response.end(response.req.method === 'HEAD' ? undefined : body);
}
