import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { describe, it } from 'mocha';

const MODULE = new URL('../../server/unexpected-rejections.ts', import.meta.url).href;
const FAIL = "Promise.reject(new Error('planted')); setTimeout(() => console.log('lives'), 20);";

describe('outliveRejections()', () => {
  it('says what nobody expected, and goes on', () => {
    const { status, stdout, stderr } = node(
      `import { outliveRejections } from ${JSON.stringify(MODULE)};
       outliveRejections((text, cause) => console.error(text + ': ' + cause.stack)); ${FAIL}`,
    );
    assert.deepEqual([status, stdout], [0, 'lives\n']);
    assert.match(stderr, /Nobody expected this, and it goes on: Error: planted\n +at /);
  });

  it('leaves exceptions to end the process', () => {
    const { status, stdout } = node(
      `import { outliveRejections } from ${JSON.stringify(MODULE)};
       outliveRejections(() => {}); setTimeout(() => { throw new Error('planted'); }); setTimeout(() => console.log('lives'), 20);`,
    );
    assert.deepEqual([status, stdout], [1, '']);
  });

  it('without it the process ends (negative control)', () => {
    assert.deepEqual([node(FAIL).status, node(FAIL).stdout], [1, '']);
  });
});

function node(program: string) {
  return spawnSync(
    process.execPath,
    ['--disable-warning=ExperimentalWarning', '--input-type=module', '-e', program],
    {
      encoding: 'utf8',
    },
  );
}
