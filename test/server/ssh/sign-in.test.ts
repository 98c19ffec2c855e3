import assert from 'node:assert/strict';
import { createHash, generateKeyPairSync, type KeyObject, sign } from 'node:crypto';
import { once } from 'node:events';
import { describe, it } from 'mocha';
import ssh2, { type AuthContext } from 'ssh2';
import { makeKeyPair } from '../../../server/ssh/key-pair.ts';
import { decideSignIn } from '../../../server/ssh/sign-in.ts';
import { SshFixture } from './ssh-fixture.ts';

const ALICE = { user: 'alice', fingerprint: 'SHA256:alice' };
const everybody = { authenticate: () => ALICE };
const message = Buffer.from('session id and request');

describe('decideSignIn()', () => {
  it('refuses RSA with SHA-1, short RSA, DSA and certificates', () => {
    const rsa = ssh2.utils.parseKey(
      ssh2.utils.generateKeyPairSync('rsa', { bits: 2048 }).public,
    ) as ssh2.ParsedKey;
    const short = ssh2.utils.parseKey(
      ssh2.utils.generateKeyPairSync('rsa', { bits: 1024 }).public,
    ) as ssh2.ParsedKey;
    const step = (algo: string, data: Buffer, hashAlgo?: string) =>
      decideSignIn({ method: 'publickey', key: { algo, data }, hashAlgo } as AuthContext, everybody).answer;
    assert.equal(step('ssh-rsa', rsa.getPublicSSH(), 'sha512'), 'sign');
    assert.equal(step('ssh-rsa', rsa.getPublicSSH()), 'refuse');
    assert.equal(step('ssh-rsa', short.getPublicSSH(), 'sha512'), 'refuse');
    assert.equal(step('ssh-ed25519', rsa.getPublicSSH()), 'refuse', 'algorithm and blob differ');
    for (const algo of ['ssh-dss', 'ssh-rsa-cert-v01@openssh.com', '', 'x'.repeat(1000), 'sk-nonsense']) {
      assert.equal(step(algo, rsa.getPublicSSH(), 'sha512'), 'refuse', algo);
    }
    assert.equal(step('ssh-ed25519', Buffer.alloc(100_000)), 'refuse');
  });

  for (const token of [ed25519Token(), ecdsaToken()]) {
    describe(`with ${token.algorithm}`, () => {
      const step = (signature: Buffer | undefined) =>
        decideSignIn(
          {
            method: 'publickey',
            key: { algo: token.algorithm, data: token.blob },
            blob: message,
            signature,
          } as AuthContext,
          everybody,
        ).answer;

      it('takes a touched signature', () => {
        assert.equal(step(undefined), 'sign');
        for (let round = 0; round < 20; round += 1) assert.equal(step(token.sign(message, 1)), 'welcome');
      });

      it('refuses one without touch, of something else, changed or cut', () => {
        const good = token.sign(message, 1);
        assert.equal(step(token.sign(message, 0)), 'refuse');
        assert.equal(step(token.sign(Buffer.from('other'), 1)), 'refuse');
        for (let index = 0; index < good.length; index += 1) {
          const changed = Buffer.from(good);
          changed[index]! ^= 0x40;
          assert.equal(step(changed), 'refuse', `byte ${index}`);
          assert.equal(step(good.subarray(0, index)), 'refuse', `cut at ${index}`);
        }
      });
    });
  }

  it('takes every key type of the real client, and a security key, over the wire', async () => {
    const fixture = await new SshFixture().start();
    const { execFileSync } = await import('node:child_process');
    for (const [type, bits] of [
      ['ecdsa', '256'],
      ['ecdsa', '384'],
      ['ecdsa', '521'],
      ['rsa', '3072'],
    ] as const) {
      const file = `${fixture.folder}/${type}${bits}`;
      execFileSync('ssh-keygen', ['-q', '-t', type, '-b', bits, '-N', '', '-f', file]);
      const { readFileSync } = await import('node:fs');
      const blob = Buffer.from(readFileSync(`${file}.pub`, 'utf8').split(' ')[1]!, 'base64');
      fixture.platform.addKey(`${type}-${bits}`, blob);
      const { status, stderr } = await fixture.ssh(['version'], { key: { ...fixture.alice, file } });
      assert.equal(status, 0, `${type} ${bits}: ${stderr}`);
    }
    for (const token of [ed25519Token(), ecdsaToken()]) {
      fixture.platform.addKey('token', token.blob);
      const client = new ssh2.Client();
      client.connect({
        host: '127.0.0.1',
        port: fixture.port,
        username: 'paas',
        agent: new TokenAgent(token),
      });
      await once(client, 'ready');
      const closed = once(client, 'close');
      client.end();
      await closed;
    }
    await fixture.stop();
  }).timeout(20_000);
});

interface Token {
  algorithm: string;
  blob: Buffer;
  /** The bare signature, flags and counter (PROTOCOL.u2f, "SSH U2F signatures"). */
  sign(data: Buffer, flags: number): Buffer;
}

function ed25519Token(): Token {
  const algorithm = 'sk-ssh-ed25519@openssh.com';
  const { publicKey, privateKey } = generateKeyPairSync('ed25519');
  const point = Buffer.from(publicKey.export({ format: 'jwk' }).x!, 'base64url');
  return {
    algorithm,
    blob: strings(algorithm, point, 'ssh:'),
    sign: (data, flags) => {
      const tail = tailOf(flags);
      return Buffer.concat([sign(null, toSign(data, tail), privateKey), tail]);
    },
  };
}

function ecdsaToken(): Token {
  const algorithm = 'sk-ecdsa-sha2-nistp256@openssh.com';
  const { publicKey, privateKey } = generateKeyPairSync('ec', { namedCurve: 'P-256' });
  const { x, y } = publicKey.export({ format: 'jwk' });
  const point = Buffer.concat([Buffer.from([4]), Buffer.from(x!, 'base64url'), Buffer.from(y!, 'base64url')]);
  return {
    algorithm,
    blob: strings(algorithm, 'nistp256', point, 'ssh:'),
    sign: (data, flags) => {
      const tail = tailOf(flags);
      const plain = signPlain(privateKey, toSign(data, tail));
      return Buffer.concat([strings(mpint(plain.subarray(0, 32)), mpint(plain.subarray(32))), tail]);
    },
  };
}

function signPlain(key: KeyObject, data: Buffer): Buffer {
  return sign('sha256', data, { key, dsaEncoding: 'ieee-p1363' });
}

function toSign(data: Buffer, tail: Buffer): Buffer {
  const sha256 = (bytes: Buffer) => createHash('sha256').update(bytes).digest();
  return Buffer.concat([sha256(Buffer.from('ssh:')), tail, sha256(data)]);
}

function tailOf(flags: number): Buffer {
  return Buffer.from([flags, 0, 0, 0, 7]);
}

/** RFC 4251 section 5: without leading zeros, but for the one that keeps it positive. */
function mpint(number: Buffer): Buffer {
  let start = 0;
  while (number[start] === 0) start += 1;
  const bare = number.subarray(start);
  return bare[0]! & 0x80 ? Buffer.concat([Buffer.alloc(1), bare]) : bare;
}

function strings(...values: (string | Buffer)[]): Buffer {
  return Buffer.concat(
    values.flatMap((value) => {
      const bytes = Buffer.from(value as string);
      const length = Buffer.alloc(4);
      length.writeUInt32BE(bytes.length);
      return [length, bytes];
    }),
  );
}

/** ssh2's client knows no security keys either: an ed25519 key that gives another type and blob stands in for one. */
class TokenAgent extends ssh2.BaseAgent {
  #token: Token;

  constructor(token: Token) {
    super();
    this.#token = token;
  }

  override getIdentities(callback: (error: Error | undefined, keys?: ssh2.ParsedKey[]) => void): void {
    const plain = ssh2.utils.parseKey(makeKeyPair('').public) as ssh2.ParsedKey;
    const key = Object.create(plain, {
      type: { value: this.#token.algorithm },
      getPublicSSH: { value: () => this.#token.blob },
    });
    callback(undefined, [key]);
  }

  override sign(_key: ssh2.ParsedKey, data: Buffer, ...rest: unknown[]): void {
    const callback = rest.at(-1) as (error: Error | undefined, signature?: Buffer) => void;
    callback(undefined, this.#token.sign(data, 1));
  }
}
