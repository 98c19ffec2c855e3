import assert from 'node:assert/strict';
import { describe, it } from 'mocha';
import { parsePublicKey } from '../../deploy/access/keys.ts';
import { restartDelay } from '../../deploy/formation/dyno.ts';
import { applyChanges } from '../../deploy/formation/formations.ts';
import { parseAppName } from '../../deploy/model/app-name.ts';
import { checkConfigVars } from '../../deploy/model/config-vars.ts';
import { parseHostname } from '../../deploy/model/hostname.ts';
import { LineSplitter } from '../../deploy/model/line-splitter.ts';
import { KeyedMutex } from '../../deploy/model/mutex.ts';
import { spanText } from '../../deploy/model/span-text.ts';

const invalid = { name: 'PaasError', code: 'invalid' };

describe('LineSplitter', () => {
  it('gives lines as they end, and the rest when there is no more', () => {
    const lines = new LineSplitter();
    assert.deepEqual(
      ['a\nb', 'c', '\n\nd'].map((chunk) => lines.push(chunk)),
      [['a'], [], ['bc', '']],
    );
    assert.deepEqual([lines.flush(), lines.flush()], [['d'], []]);
  });

  it('keeps no more of a line without an end than it may', () => {
    const lines = new LineSplitter(3);
    assert.deepEqual(
      ['a\nbcd', 'e', 'f\ng'].map((chunk) => lines.push(chunk)),
      [['a'], ['bcde'], ['f']],
    );
  });
});

describe('spanText()', () => {
  it('takes the largest unit that a time fills', () => {
    const spans = [1, 90, 900, 5400, 7200, 259_200].map(spanText);
    assert.deepEqual(spans, ['1 s', '90 s', '15 min', '90 min', '2 h', '3 d']);
  });
});

describe('parseAppName()', () => {
  it('takes DNS labels', () => {
    for (const name of ['a', 'my-app', 'app2', 'a'.repeat(63)]) assert.equal(parseAppName(name), name);
  });

  it('refuses everything else', () => {
    const bad = [
      '',
      '../x',
      '-x',
      'x-',
      'x;y',
      'a'.repeat(64),
      'ünï',
      'App',
      '1app',
      'a b',
      'a\n',
      'a/b',
      '$(id)',
      'paas',
      'www',
      'xn--a',
    ];
    for (const name of bad) assert.throws(() => parseAppName(name), invalid, name);
  });
});

describe('checkConfigVars()', () => {
  it('keeps values with newlines, quotes, equals signs and unicode', () => {
    checkConfigVars({ A: 'x=1\n"y" \'z\' ü $(id) `id`', _B2: '' });
  });

  it('refuses bad names, NUL, too large values and what the platform sets itself', () => {
    const bad = [
      { '1A': 'x' },
      { 'A-B': 'x' },
      { '': 'x' },
      { 'A\n': 'x' },
      { A: 'a\0b' },
      { A: 'x'.repeat(70_000) },
      { PORT: '1' },
    ];
    for (const vars of bad)
      assert.throws(
        () => checkConfigVars(vars as Record<string, string>),
        invalid,
        JSON.stringify(Object.keys(vars)),
      );
  });
});

describe('parseHostname()', () => {
  it('folds case, trailing dot and unicode to what a router compares', () => {
    assert.equal(parseHostname('WWW.Example.COM.'), 'www.example.com');
    assert.equal(parseHostname('bücher.example'), 'xn--bcher-kva.example');
  });

  it('refuses what is no host name', () => {
    for (const text of [
      '',
      'localhost',
      'a b.c',
      '*.example.com',
      'x/y.z',
      '1.2.3.4',
      '-a.com',
      'a.com:80',
      'a..b',
      '$(id).com',
    ]) {
      assert.throws(() => parseHostname(text), invalid, text);
    }
  });
});

describe('applyChanges()', () => {
  it('sets, adds and subtracts', () => {
    const changes = [
      { type: 'web', operator: '=' as const, quantity: 3 },
      { type: 'worker', operator: '+' as const, quantity: 1 },
    ];
    assert.deepEqual(applyChanges({ web: 1, worker: 1 }, changes), { web: 3, worker: 2 });
    assert.deepEqual(applyChanges({ web: 3 }, [{ type: 'web', operator: '-', quantity: 1 }]), { web: 2 });
  });

  it('refuses negative, enormous and fractional quantities and unknown types', () => {
    for (const quantity of [-1, 1e9, 101, 1.5, Number.NaN]) {
      assert.throws(
        () => applyChanges({ web: 1 }, [{ type: 'web', operator: '=', quantity }]),
        invalid,
        String(quantity),
      );
    }
    assert.throws(() => applyChanges({ web: 0 }, [{ type: 'web', operator: '-', quantity: 1 }]), invalid);
    assert.throws(
      () => applyChanges({ web: 1 }, [{ type: 'toString', operator: '=', quantity: 1 }]),
      /no process type/,
    );
  });
});

describe('restartDelay()', () => {
  it('is none for the first five crashes, then grows to five minutes', () => {
    assert.deepEqual([1, 5, 6, 7, 11, 50].map(restartDelay), [0, 0, 10_000, 20_000, 300_000, 300_000]);
  });
});

describe('parsePublicKey()', () => {
  const good = `ssh-ed25519 ${Buffer.concat([Buffer.from([0, 0, 0, 11]), Buffer.from('ssh-ed25519'), Buffer.from([0, 0, 0, 32]), Buffer.alloc(32, 7)]).toString('base64')} me@host`;

  it('reads a line of authorized_keys', () => {
    const key = parsePublicKey(`${good}\n`);
    assert.equal(key.type, 'ssh-ed25519');
    assert.equal(key.comment, 'me@host');
  });

  it('refuses private keys, other text and keys whose type is a lie', () => {
    const bad = [
      '',
      'hello',
      '-----BEGIN OPENSSH PRIVATE KEY-----',
      'ssh-ed25519 AAAA',
      good.replace('ssh-ed25519 ', 'ssh-rsa '),
      `${good}\nssh-rsa AAAA`,
      `command="id" ${good}`,
    ];
    for (const line of bad) assert.throws(() => parsePublicKey(line), invalid, line);
  });
});

describe('KeyedMutex.run()', () => {
  it('runs work of one key in order and of two keys side by side', async () => {
    const mutex = new KeyedMutex();
    const order: string[] = [];
    const step = (name: string, milliseconds: number) => async () => {
      order.push(`${name} begins`);
      await new Promise((resolve) => setTimeout(resolve, milliseconds));
      order.push(`${name} ends`);
    };
    await Promise.all([
      mutex.run('a', step('a1', 20)),
      mutex.run('a', step('a2', 1)),
      mutex.run('b', step('b1', 5)),
    ]);
    assert.deepEqual(order, ['a1 begins', 'b1 begins', 'b1 ends', 'a1 ends', 'a2 begins', 'a2 ends']);
  });

  it('goes on after a failure', async () => {
    const mutex = new KeyedMutex();
    await assert.rejects(mutex.run('a', () => Promise.reject(new Error('no'))));
    assert.equal(await mutex.run('a', async () => 1), 1);
  });
});
