import assert from 'node:assert/strict';
import { mkdtempSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, it } from 'mocha';
import { createImage, type Image, mergeConfig, mergeEnv } from '../../../runtime/images/image.ts';
import { ImageStore } from '../../../runtime/images/image-store.ts';

const CONFIG = {
  Env: [],
  Cmd: ['x'],
  Entrypoint: [],
  WorkingDir: '',
  User: '',
  Labels: {},
  ExposedPorts: {},
};

function image(layer: string): Image {
  return createImage({ layers: [layer], config: CONFIG, parent: undefined, created: '2026-01-01T00:00:00Z' });
}

describe('ImageStore', () => {
  let folder: string;
  let store: ImageStore;

  beforeEach(() => {
    folder = mkdtempSync(join(tmpdir(), 'paas-images-'));
    store = reopen();
  });

  afterEach(() => rmSync(folder, { recursive: true }));

  function reopen(hasLayer: (id: string) => boolean = () => true): ImageStore {
    const opened = new ImageStore(folder);
    opened.open(hasLayer);
    return opened;
  }

  it('ImageStore.find() knows tags, ids and their beginnings', () => {
    const one = image('1');
    store.add(one, 'a:v1');
    for (const name of ['a:v1', 'docker.io/a:v1', one.id, `sha256:${one.id}`, one.id.slice(0, 12)]) {
      assert.equal(store.find(name).id, one.id);
    }
    assert.throws(() => store.find('a'), { code: 'not_found' });
    assert.throws(() => store.find(`${one.id.slice(0, 12)}/x`), { code: 'not_found' });
  });

  it('ImageStore.add() moves a tag from the image that had it, also after a restart', () => {
    const [one, two] = [image('1'), image('2')];
    store.add(one, 'a:v1');
    store.add(two, 'a:v1');
    for (const opened of [store, reopen()]) {
      assert.equal(opened.find('a:v1').id, two.id);
      assert.deepEqual(opened.find(one.id).tags, {});
    }
  });

  it('ImageStore.open() leaves out what has no layer any more, and files that a power cut tore', () => {
    store.add(image('1'), 'a:v1');
    writeFileSync(join(folder, `${'0'.repeat(64)}.json`), '{"id":');
    writeFileSync(join(folder, 'x.json.tmp'), 'x');
    assert.deepEqual(reopen(() => false).list(), []);
    assert.equal(reopen().list().length, 1);
    assert.equal(readdirSync(folder).length, 1);
  });
});

describe('mergeConfig()', () => {
  it('mergeConfig() merges variables and labels by name and replaces the rest', () => {
    const base = { ...CONFIG, Env: ['A=1', 'B=2'], Labels: { a: '1' } };
    const merged = mergeConfig(base, { Env: ['B=3'], Labels: { b: '2' }, Cmd: [], User: 'root' });
    assert.deepEqual(merged, { ...base, Env: ['A=1', 'B=3'], Labels: { a: '1', b: '2' }, User: 'root' });
  });

  it('mergeEnv() removes what is named without a value', () => {
    assert.deepEqual(mergeEnv(['A=1', 'B=2=3'], ['A']), ['B=2=3']);
  });
});
