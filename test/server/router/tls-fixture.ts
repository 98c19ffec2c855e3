import { execFileSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

export interface Pair {
  chain: string;
  key: string;
}

/** A certificate authority in a temporary folder. */
export class TestAuthority {
  readonly #folder = mkdtempSync(join(tmpdir(), 'authority-'));
  /** File of its own certificate, for `--cacert`. */
  readonly file = join(this.#folder, 'ca.pem');
  readonly certificate: string;
  #count = 0;

  constructor() {
    this.#openssl(
      'req',
      '-x509',
      ...NEW_KEY,
      '-keyout',
      'ca.key',
      '-out',
      'ca.pem',
      '-subj',
      '/CN=Test authority',
    );
    this.certificate = readFileSync(this.file, 'utf8');
  }

  issue(...hosts: string[]): Pair {
    const name = String(++this.#count);
    const names = hosts.map((host) => `DNS:${host}`).join(',');
    this.#openssl(
      ...[
        'req',
        '-x509',
        ...NEW_KEY,
        '-keyout',
        `${name}.key`,
        '-out',
        `${name}.pem`,
        '-subj',
        `/CN=${hosts[0]}`,
      ],
      ...['-CA', 'ca.pem', '-CAkey', 'ca.key', '-addext', `subjectAltName=${names}`],
      ...['-addext', 'basicConstraints=critical,CA:FALSE'],
    );
    const read = (kind: string) => readFileSync(join(this.#folder, `${name}.${kind}`), 'utf8');
    return { chain: read('pem'), key: read('key') };
  }

  remove(): void {
    rmSync(this.#folder, { recursive: true });
  }

  #openssl(...args: string[]): void {
    execFileSync('openssl', args, { cwd: this.#folder, stdio: 'pipe' });
  }
}

const NEW_KEY = ['-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:P-256', '-nodes', '-days', '30'];
