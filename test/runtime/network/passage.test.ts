import assert from 'node:assert/strict';
import { describe, it } from 'mocha';
import { type BaseChain, planPassage, planPassageRemoval } from '../../../runtime/network/passage.ts';

/** What `nft -j -a list chain ip filter FORWARD` says on a host with Docker. */
const DOCKER: BaseChain = {
  family: 'ip',
  table: 'filter',
  name: 'FORWARD',
  hook: 'forward',
  policy: 'drop',
  rules: [{ handle: 3, expr: [{ counter: { packets: 0, bytes: 0 } }, { jump: { target: 'DOCKER-USER' } }] }],
};
const REJECT = { handle: 9, expr: [{ counter: {} }, { xt: { type: 'target', name: 'REJECT' } }] };

describe('planPassage()', () => {
  it('comes last in a chain that drops the rest', () => {
    assert.equal(
      planPassage('abc', [DOCKER]),
      'add rule ip filter FORWARD iifname "vabc-*" counter accept comment "paas_abc"\n' +
        'add rule ip filter FORWARD oifname "vabc-*" counter accept comment "paas_abc"\n',
    );
  });

  it('comes before a last rule that rejects everything', () => {
    const chain: BaseChain = { ...DOCKER, name: 'INPUT', hook: 'input', policy: 'accept', rules: [REJECT] };
    assert.equal(
      planPassage('abc', [chain]),
      'insert rule ip filter INPUT position 9 iifname "vabc-*" counter accept comment "paas_abc"\n',
    );
  });

  it('leaves alone what lets the rest pass, and what has it already', () => {
    const accepting: BaseChain = { ...DOCKER, policy: 'accept' };
    const some = { handle: 4, expr: [{ match: {} }, { drop: null }] };
    const done: BaseChain = { ...DOCKER, rules: [{ handle: 5, comment: 'paas_abc', expr: [] }] };
    assert.equal(planPassage('abc', [accepting, { ...accepting, rules: [some] }, done]), '');
  });

  it('says nothing that nft could take for something else', () => {
    const names = ['a b', 'x;flush ruleset', '"', '-x', 'ü'];
    assert.equal(
      planPassage(
        'abc',
        names.map((name) => ({ ...DOCKER, name })),
      ),
      '',
    );
  });

  it('planPassageRemoval() finds our rules, and no others', () => {
    const rules = [
      { handle: 5, comment: 'paas_abc', expr: [] },
      { handle: 6, comment: 'paas_x', expr: [] },
      REJECT,
    ];
    assert.equal(
      planPassageRemoval('abc', [{ ...DOCKER, rules }]),
      'delete rule ip filter FORWARD handle 5\n',
    );
  });
});
