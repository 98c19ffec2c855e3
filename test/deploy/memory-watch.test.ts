import assert from 'node:assert/strict';
import { describe, it } from 'mocha';
import { type Dyno, DynoContainer } from '../../deploy/formation/dyno.ts';
import { MemoryWatch, pauseFor } from '../../deploy/formation/memory-watch.ts';

const MB = 1024 ** 2;

describe('MemoryWatch', () => {
  it('says R14 when a dyno comes to its quota, again while it stays there, and anew when it comes back', async () => {
    const { watch, lines, dyno, uses } = watching();
    uses(400);
    await watch.look(dyno, 0);
    assert.deepEqual(lines, []);
    uses(500);
    await watch.look(dyno, 10_000);
    await watch.look(dyno, 20_000);
    const told = ['web.1 Process running mem=500M(97.7%)', 'web.1 Error R14 (Memory quota exceeded)'];
    assert.deepEqual(lines, told);
    await watch.look(dyno, 310_000);
    assert.deepEqual(lines, [...told, ...told]);
    uses(300);
    await watch.look(dyno, 320_000);
    uses(500);
    await watch.look(dyno, 330_000);
    assert.equal(lines.length, 6);
  });

  it('looks at many dynos more seldom, so that it is no work to speak of', () => {
    assert.deepEqual([0, 1, 10, 20, 200].map(pauseFor), [10_000, 10_000, 1000, 500, 500]);
  });

  it('ends when it is closed', async () => {
    const { watch } = watching();
    const running = watch.start();
    watch.close();
    await running;
  });

  it('passes over a dyno that has ended, and one whose memory nobody tells', async () => {
    const { watch, lines, dyno, fail } = watching();
    fail();
    await watch.look(dyno);
    dyno.container!.end({ code: 0, oomKilled: false });
    await watch.look(dyno);
    assert.deepEqual(lines, []);
  });
});

function watching() {
  let used = 0;
  let broken = false;
  const lines: string[] = [];
  const dyno = { name: 'web.1', container: new DynoContainer('c1') } as Dyno;
  const watch = new MemoryWatch({
    engine: {
      memory: async () => {
        if (broken) throw new Error('the runtime is away');
        return { used: used * MB, limit: 512 * MB };
      },
    },
    dynos: () => [dyno],
    say: ({ name }, text) => lines.push(`${name} ${text}`),
  });
  return {
    ...{ watch, lines, dyno },
    uses: (megabytes: number) => {
      used = megabytes;
    },
    fail: () => {
      broken = true;
    },
  };
}
