import assert from 'node:assert/strict';
import { describe, it } from 'mocha';
import { createImage, historyOf, type Image } from '../../../runtime/images/image.ts';
import { abandonedParents, planRemoval } from '../../../runtime/images/image-removal.ts';

const CONFIG = { Env: [], Cmd: [], Entrypoint: [], WorkingDir: '', User: '', Labels: {}, ExposedPorts: {} };

function image(tags: string[], parent?: Image): Image {
  const layers = [...(parent?.layers ?? []), String(parent?.layers.length ?? 0)];
  const created = '2026-01-01T00:00:00Z';
  const made = createImage({ layers, config: { ...CONFIG, Cmd: tags }, parent: parent?.id, created });
  return { ...made, tags: Object.fromEntries(tags.map((tag) => [tag, 1])) };
}

const running = { id: 'c'.repeat(64), running: true };
const stopped = { id: 'd'.repeat(64), running: false };

describe('planRemoval()', () => {
  it('planRemoval() by reference takes the name, and the image with its last name', () => {
    const two = image(['a:v1', 'a:v2']);
    const options = { users: [], force: false };
    assert.deepEqual(planRemoval({ image: two, name: 'a:v1', ...options }), {
      untag: ['a:v1'],
      remove: false,
    });
    const one = image(['a:latest']);
    assert.deepEqual(planRemoval({ image: one, name: 'a', ...options }), {
      untag: ['a:latest'],
      remove: true,
    });
  });

  it('planRemoval() by id takes all names of one repository; of several only by force', () => {
    const one = image(['a:v1', 'a:v2']);
    assert.deepEqual(planRemoval({ image: one, name: one.id, users: [], force: false }), {
      untag: ['a:v1', 'a:v2'],
      remove: true,
    });
    const two = image(['a:v1', 'b:v1']);
    const name = two.id.slice(0, 12);
    assert.throws(() => planRemoval({ image: two, name, users: [], force: false }), { code: 'conflict' });
    assert.ok(planRemoval({ image: two, name, users: [], force: true }).remove);
  });

  it('planRemoval() never removes what a running container uses, and what a stopped one uses only by force', () => {
    const one = image(['a:v1']);
    const plan = (name: string, users: (typeof running)[], force: boolean) =>
      planRemoval({ image: one, name, users, force });
    assert.throws(() => plan('a:v1', [stopped], false), /must force.*container dddddddddddd/);
    assert.throws(() => plan(one.id, [stopped], false), /must be forced.*stopped container/);
    assert.throws(() => plan(one.id, [running], true), /cannot be forced.*running container/);
    assert.deepEqual(plan('a:v1', [stopped], true), { untag: ['a:v1'], remove: true });
    assert.deepEqual(plan('a:v1', [running], true), { untag: ['a:v1'], remove: false });
  });
});

describe('abandonedParents()', () => {
  it('abandonedParents() are those without a name, another child or a user', () => {
    const base = image(['base:latest']);
    const one = image([], base);
    const two = image([], one);
    const top = image(['a:v1'], two);
    const images = [base, one, two, top];
    const isUsed = () => false;
    assert.deepEqual(abandonedParents(top, { images, isUsed }), [two, one]);
    assert.deepEqual(abandonedParents(top, { images: [...images, image(['b:v1'], one)], isUsed }), [two]);
    assert.deepEqual(abandonedParents(top, { images, isUsed: (parent) => parent === two }), []);
  });
});

describe('historyOf()', () => {
  it('historyOf() has an entry for every layer, also for those of which nothing is known', () => {
    const one = {
      ...image(['a:v1'], image(['b:v1'])),
      history: [{ created: '2026-02-02', created_by: 'make' }],
    };
    assert.deepEqual(
      historyOf(one).map((entry) => entry.created_by),
      ['', 'make'],
    );
  });
});
