import assert from 'node:assert/strict';
import * as fs from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { Readable } from 'node:stream';
import { gzipSync, zstdCompressSync } from 'node:zlib';
import { afterEach, before, beforeEach, describe, it } from 'mocha';
import { FileWorker } from '../../runtime/files/file-worker.ts';
import { TarReader } from '../../runtime/files/tar-reader.ts';
import { LayerMaker } from '../../runtime/images/layer-maker.ts';
import { LayerStore } from '../../runtime/images/layer-store.ts';
import { systemCall } from '../../runtime/syscall/system-call.ts';
import { Trash } from '../../runtime/trash.ts';
import { type Member, tarOf } from '../runtime/files/tar-fixture.ts';

const SAFE = 'nobody wrote here';

describe('hostile archives', function () {
  this.timeout(60_000);
  let folder: string;
  let outside: string;
  let inside: string;

  before(function () {
    if (process.getuid?.() !== 0) this.skip();
  });

  beforeEach(() => {
    folder = fs.mkdtempSync(join(tmpdir(), 'paas-hostile-'));
    process.env.NODE_COMPILE_CACHE ??= join(tmpdir(), 'paas-test-compiled');
    outside = join(folder, 'outside');
    inside = join(folder, 'inside');
    for (const path of [outside, inside]) fs.mkdirSync(path);
    fs.writeFileSync(join(outside, 'marker'), SAFE);
  });

  afterEach(() => fs.rmSync(folder, { recursive: true, force: true }));

  async function unpack(
    archive: Buffer,
    options: { layer?: boolean; budget?: { bytes: number; members: number }; keepKind?: boolean } = {},
  ) {
    const root = fs.openSync(inside, fs.constants.O_RDONLY | fs.constants.O_DIRECTORY);
    try {
      const budget = { bytes: 1e9, members: 1e6 };
      const job = { layer: true, path: '', budget, ...options };
      return await new FileWorker().unpack(job, { root, input: Readable.from([archive]) });
    } finally {
      fs.closeSync(root);
    }
  }

  /** Each tries to reach what is outside of the folder it is unpacked into. */
  function attacks(): Record<string, Member[]> {
    const away = { content: 'attacked' };
    return {
      'dots in a name': [{ name: '../outside/marker', ...away }],
      'dots inside a name': [{ name: 'a/../../outside/marker', ...away }],
      'an absolute name': [{ name: join(outside, 'marker'), ...away }],
      'through an absolute link': [
        { name: 'way', type: 'symlink', linkName: outside },
        { name: 'way/marker', ...away },
      ],
      'through a relative link': [
        { name: 'way', type: 'symlink', linkName: '../outside' },
        { name: 'way/marker', ...away },
      ],
      'onto a link': [
        { name: 'marker', type: 'symlink', linkName: join(outside, 'marker') },
        { name: 'marker', ...away },
      ],
      'a folder onto a link': [
        { name: 'way', type: 'symlink', linkName: outside },
        { name: 'way', type: 'folder', mode: 0o777 },
        { name: 'way/marker', ...away },
      ],
      'a hard link out': [
        { name: 'marker', type: 'link', linkName: join(outside, 'marker') },
        { name: 'marker', ...away },
      ],
      'a hard link by dots': [{ name: 'marker', type: 'link', linkName: '../outside/marker' }],
      'a hard link through a link': [
        { name: 'way', type: 'symlink', linkName: outside },
        { name: 'marker', type: 'link', linkName: 'way/marker' },
      ],
      'a removal through a link': [
        { name: 'way', type: 'symlink', linkName: outside },
        { name: 'way/.wh.marker' },
      ],
      'removal of the folder above': [{ name: '.wh...' }],
      'removal of the folder itself': [{ name: '.wh..' }],
      'removal of nothing': [{ name: '.wh.' }],
      'below a removed file': [{ name: '.wh.way/marker', ...away }],
      'a removal that is a link': [{ name: '.wh.way', type: 'symlink', linkName: outside }],
      'opaque through a link': [
        { name: 'way', type: 'symlink', linkName: outside },
        { name: 'way/.wh..wh..opq' },
      ],
      'a long name': [{ name: `${'a/'.repeat(3000)}marker` }],
      'a name that no file system takes': [{ name: 'a'.repeat(300) }],
    };
  }

  it('nothing outside of the folder is changed, whatever the archive says', async () => {
    for (const [name, members] of Object.entries(attacks())) {
      for (const layer of [true, false]) {
        await unpack(tarOf(...members), { layer }).catch((error) => {
          assert.ok(['invalid', 'not_found'].includes(error.code), `${name}: ${error}`);
        });
        assert.equal(fs.readFileSync(join(outside, 'marker'), 'utf8'), SAFE, name);
        const stat = fs.lstatSync(join(outside, 'marker'));
        assert.deepEqual([stat.nlink, fs.readdirSync(outside)], [1, ['marker']], name);
        assert.equal(fs.statSync(outside).mode & 0o777, 0o755);
        fs.rmSync(inside, { recursive: true });
        fs.mkdirSync(inside);
      }
    }
  });

  it('the same archives do reach it when they are unpacked without care', () => {
    const reached = Object.entries(attacks()).filter(([, members]) => {
      fs.rmSync(inside, { recursive: true });
      fs.mkdirSync(inside);
      fs.writeFileSync(join(outside, 'marker'), SAFE);
      unpackCarelessly(tarOf(...members), inside);
      const marker = join(outside, 'marker');
      return fs.readFileSync(marker, 'utf8') !== SAFE || fs.statSync(marker).nlink > 1;
    });
    assert.ok(reached.length >= 5, reached.map(([name]) => name).join(', '));
  });

  it('a budget of bytes and members is kept, also by what is compressed', async () => {
    const zeros = tarOf({ name: 'zeros', content: '\0'.repeat(50_000_000) });
    for (const bomb of [zeros, gzipSync(zeros), zstdCompressSync(zeros)]) {
      const budget = { bytes: 1_000_000, members: 10 };
      await assert.rejects(unpack(bomb, { budget }), { code: 'invalid', message: /more than 1000000 bytes/ });
    }
    const many = Array.from({ length: 1001 }, (_, index) => ({ name: `file${index}` }));
    const budget = { bytes: 1e9, members: 1000 };
    await assert.rejects(unpack(tarOf(...many), { budget }), { message: /more than 1000 members/ });
    await unpack(tarOf(...many.slice(1)), { budget });
  });

  it('no device is made; what was a folder with content is not replaced; nor what cannot be unpacked', async () => {
    await unpack(tarOf({ name: 'null', type: 'character' }, { name: 'disk', type: 'block' }));
    assert.deepEqual(fs.readdirSync(inside), []);
    await assert.rejects(unpack(tarOf({ name: 'a/b' }, { name: 'a' })), { message: /not empty/ });
    const xz = Buffer.concat([Buffer.from('\xfd7zXZ\0', 'latin1'), Buffer.alloc(100)]);
    await assert.rejects(unpack(xz), { code: 'invalid', message: /xz/ });
    await assert.rejects(unpack(gzipSync(tarOf({ name: 'a' })).subarray(0, 40)), { code: 'invalid' });
    await assert.rejects(
      unpack(tarOf({ name: 'f' }, { name: 'f', type: 'folder' }), { keepKind: true }),
      /is a file, not/,
    );
  });

  it('owners, modes and capabilities of files are kept, and no other attribute of the system', async () => {
    const capability = '\x01\0\0\x02\0\x04\0\0\0\0\0\0\0\0\0\0\0\0\0\0';
    const attributes = {
      'security.capability': capability,
      'user.colour': 'red',
      'trusted.overlay.redirect': '/etc',
      'security.selinux': 'any',
    };
    await unpack(tarOf({ name: 'suid', mode: 0o4755, uid: 1, gid: 2, attributes }));
    const stat = fs.statSync(join(inside, 'suid'));
    assert.deepEqual([stat.mode & 0o7777, stat.uid, stat.gid], [0o4755, 1, 2]);
    assert.deepEqual(attributesOf(join(inside, 'suid')), ['security.capability', 'user.colour']);
  });

  it('a layer marks what it removes as overlay does', async () => {
    const trash = new Trash(join(folder, 'trash'), async () => {});
    const layers = new LayerStore(join(folder, 'layers'), trash);
    fs.mkdirSync(join(folder, 'trash'));
    layers.open();
    const archive = tarOf(
      { name: 'kept/.wh.gone' },
      { name: 'empty/', type: 'folder' },
      { name: 'empty/.wh..wh..opq' },
      { name: 'both', content: 'x' },
      { name: '.wh.both' },
      { name: '.wh.again' },
      { name: 'again/new' },
      { name: '.wh..wh.plnk' },
    );
    const signal = new AbortController().signal;
    const { id } = await new LayerMaker(layers, new FileWorker()).make(Readable.from([archive]), signal);
    const path = (name: string) => join(layers.path(id), name);
    const gone = fs.lstatSync(path('kept/gone'));
    assert.ok(gone.isCharacterDevice() && gone.rdev === 0);
    assert.deepEqual(attributesOf(path('empty')), ['trusted.overlay.opaque']);
    assert.deepEqual(attributesOf(path('again')), ['trusted.overlay.opaque']);
    assert.deepEqual(attributesOf(path('kept')), []);
    assert.equal(fs.readFileSync(path('both'), 'utf8'), 'x');
    assert.deepEqual(fs.readdirSync(layers.path(id)).sort(), ['again', 'both', 'empty', 'kept']);
    // Packed, it is the same again.
    const root = fs.openSync(layers.path(id), fs.constants.O_RDONLY | fs.constants.O_DIRECTORY);
    const output = fs.createWriteStream(join(folder, 'packed.tar'));
    await new FileWorker().pack({ layer: true, path: '', follow: true, as: '' }, { root, output });
    output.end();
    await new Promise((resolve) => output.once('close', resolve));
    fs.closeSync(root);
    const names: string[] = [];
    const reader = new TarReader({ entry: ({ name }) => names.push(name), data: () => {}, end: () => {} });
    reader.push(fs.readFileSync(join(folder, 'packed.tar')));
    const marks = ['again/', 'again/.wh..wh..opq', 'again/new', 'both', 'empty/', 'empty/.wh..wh..opq'];
    assert.deepEqual(names, [...marks, 'kept/', 'kept/.wh.gone']);
  });

  it('the process has few capabilities, and no way to more', async () => {
    const root = fs.openSync(inside, fs.constants.O_RDONLY | fs.constants.O_DIRECTORY);
    const { readable, writable } = new TransformStream();
    const writer = writable.getWriter();
    void writer.write(tarOf({ name: 'a' }).subarray(0, 512));
    const before = new Set(childrenOfOurs());
    const controller = new AbortController();
    const input = Readable.fromWeb(readable as never);
    const io = { root, input, signal: controller.signal };
    const working = new FileWorker().unpack({ layer: true, path: '', budget: { bytes: 1, members: 1 } }, io);
    working.catch(() => {});
    try {
      const status = await until(() => {
        const child = childrenOfOurs().find((pid) => !before.has(pid));
        const confined = child && fs.readlinkSync(`/proc/${child}/root`) === inside;
        return confined ? fs.readFileSync(`/proc/${child}/status`, 'utf8') : undefined;
      });
      const effective = BigInt(`0x${/^CapEff:\s+(\w+)/m.exec(status)?.[1]}`);
      const numbers = [...Array(64).keys()].filter((bit) => (effective >> BigInt(bit)) & 1n);
      // CHOWN, DAC_OVERRIDE, FOWNER, FSETID, SYS_CHROOT, SETFCAP
      assert.deepEqual(numbers, [0, 1, 3, 4, 18, 31]);
      assert.match(status, /^NoNewPrivs:\s+1$/m);
      assert.equal(/^CapBnd:\s+(\w+)/m.exec(status)?.[1], /^CapEff:\s+(\w+)/m.exec(status)?.[1]);
    } finally {
      controller.abort();
      fs.closeSync(root);
      await working.catch(() => {});
    }
  });
});

function unpackCarelessly(archive: Buffer, into: string): void {
  let path = '';
  const reader = new TarReader({
    entry: ({ name, type, linkName }) => {
      path = name.startsWith('/') ? name : `${into}/${name}`;
      try {
        fs.mkdirSync(dirname(path), { recursive: true });
        if (type === 'symlink') fs.symlinkSync(linkName, path);
        if (type === 'link') fs.linkSync(linkName.startsWith('/') ? linkName : join(into, linkName), path);
      } catch {
        path = '';
      }
    },
    data: (chunk) => {
      if (path) fs.writeFileSync(path, chunk);
    },
    end: () => {},
  });
  reader.push(archive);
}

function attributesOf(path: string): string[] {
  const fd = fs.openSync(path, 'r');
  const names = Buffer.alloc(4096);
  const size = systemCall('flistxattr', fd, names, names.length);
  fs.closeSync(fd);
  return names.toString('latin1', 0, size).split('\0').filter(Boolean).sort();
}

function childrenOfOurs(): string[] {
  return fs
    .readFileSync(`/proc/${process.pid}/task/${process.pid}/children`, 'utf8')
    .trim()
    .split(' ')
    .filter(Boolean);
}

async function until<T>(look: () => T | undefined): Promise<T> {
  for (let attempt = 0; attempt < 500; attempt++) {
    const found = look();
    if (found !== undefined) return found;
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
  throw new Error('It did not happen.');
}
