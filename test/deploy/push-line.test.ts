import assert from 'node:assert/strict';
import { describe, it } from 'mocha';
import { PushLine, type PushTurn } from '../../deploy/receive/push-line.ts';

const MAIN = 'refs/heads/main';

describe('PushLine', () => {
  const enter = (line: PushLine, user: string, refs: string[] = [MAIN], repository = 'blog') =>
    line.enter(repository, { user, refs: refs.map((ref) => ({ old: '', new: '', ref })) });

  it('enter() lets one push of a branch go on at a time', async () => {
    const line = new PushLine();
    const first = enter(line, 'alice');
    const second = enter(line, 'bob');
    assert.deepEqual([first.isFirst, second.isFirst], [true, false]);
    assert.equal(await isReady(second), false);
    first.leave();
    await second.ready;
    assert.equal(second.replaced.aborted, false);
    second.leave();
    assert.equal(line.has('blog'), false);
  });

  it('enter() replaces the one that waits, and says by whose push', async () => {
    const line = new PushLine();
    const first = enter(line, 'alice');
    const second = enter(line, 'bob');
    const third = enter(line, 'carol');
    await second.ready;
    assert.equal((second.replaced.reason as Error).message, 'Replaced by a newer push of main by carol.');
    assert.equal(await isReady(third), false);
    second.leave();
    assert.equal(await isReady(third), false);
    first.leave();
    await third.ready;
    assert.equal(third.replaced.aborted, false);
  });

  it('waiting() tells who waits, of which branches, and not who goes on', () => {
    const line = new PushLine();
    enter(line, 'alice');
    const second = enter(line, 'bob', [MAIN, 'refs/heads/feature']);
    enter(line, 'carol', [MAIN], 'shop');
    enter(line, 'dave', [MAIN], 'shop');
    const told = (repository?: string) =>
      line.waiting(repository).map(({ app, user, branches }) => `${app} ${user} ${branches}`);
    assert.deepEqual(told(), ['blog bob main,feature', 'shop dave main']);
    assert.deepEqual(told('blog'), ['blog bob main,feature']);
    second.leave();
    assert.deepEqual(told('blog'), []);
  });

  it('enter() tells the one that goes on, whose build may still wait, and leaves it its turn', async () => {
    const line = new PushLine();
    const first = enter(line, 'alice');
    const second = enter(line, 'bob');
    assert.equal(first.replaced.aborted, true);
    assert.equal(await isReady(second), false);
  });

  it('enter() takes main and master for the same, and other branches and repositories for others', () => {
    const line = new PushLine();
    enter(line, 'alice');
    assert.equal(enter(line, 'bob', ['refs/heads/master']).isFirst, false);
    assert.equal(enter(line, 'bob', ['refs/heads/feature']).isFirst, true);
    assert.equal(enter(line, 'bob', [MAIN], 'shop').isFirst, true);
  });

  it('enter() lets a push of several branches wait for each, and be replaced only by one of all of them', async () => {
    const line = new PushLine();
    const main = enter(line, 'alice');
    const feature = enter(line, 'alice', ['refs/heads/feature']);
    const both = enter(line, 'bob', [MAIN, 'refs/heads/feature']);
    const newer = enter(line, 'carol');
    main.leave();
    assert.equal(await isReady(both), false);
    feature.leave();
    await both.ready;
    assert.equal(both.replaced.aborted, false);
    assert.equal(await isReady(newer), false);
  });

  it('enter() lets nothing wait for a push without refs', () => {
    const line = new PushLine();
    enter(line, 'alice');
    assert.equal(enter(line, 'bob', []).isFirst, true);
  });
});

async function isReady(turn: PushTurn): Promise<boolean> {
  return Promise.race([
    turn.ready.then(() => true),
    new Promise<boolean>((resolve) => {
      setImmediate(() => resolve(false));
    }),
  ]);
}
