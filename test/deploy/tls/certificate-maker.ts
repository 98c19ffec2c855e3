import { execFileSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

/** A certificate with its key, in PEM, and the files that hold them. */
export interface Made {
  chain: string;
  key: string;
  files: { certificate: string; key: string };
}

export interface MakeOptions {
  /** Who signs it; undefined: it does so itself. */
  issuer?: Made;
  /** `DNS:` names; none: no such extension. */
  names?: string[];
  subject?: string;
  days?: number;
  /** As openssl takes it: `rsa:1024`, `ed25519`; default: P-256. */
  kind?: string[];
  /** More extensions, e.g. `extendedKeyUsage=clientAuth`. */
  extensions?: string[];
}

/** Makes certificates by the `openssl` of the machine, in a folder that dispose() removes. */
export class CertificateMaker {
  readonly folder: string = mkdtempSync(join(tmpdir(), 'certificates-'));
  #count = 0;

  authority(subject = '/O=Test/CN=Test root'): Made {
    return this.make({
      subject,
      extensions: ['basicConstraints=critical,CA:TRUE', 'keyUsage=critical,keyCertSign'],
    });
  }

  make({
    issuer,
    names = [],
    subject = '/CN=test',
    days = 90,
    kind = P256,
    extensions = [],
  }: MakeOptions): Made {
    const base = join(this.folder, String(this.#count++));
    const files = { certificate: `${base}.crt`, key: `${base}.key` };
    const all = [
      ...(names.length > 0 ? [`subjectAltName=${names.map((name) => `DNS:${name}`).join(',')}`] : []),
      ...extensions,
    ];
    execFileSync(
      'openssl',
      [
        ...['req', '-x509', '-nodes', '-days', String(days), '-subj', subject],
        ...['-newkey', ...kind, '-keyout', files.key, '-out', files.certificate],
        ...(issuer ? ['-CA', issuer.files.certificate, '-CAkey', issuer.files.key] : []),
        // Of a certificate for a host; an authority says otherwise itself.
        ...(extensions.some((text) => text.startsWith('basicConstraints'))
          ? []
          : ['-addext', 'basicConstraints=CA:FALSE']),
        ...all.flatMap((text) => ['-addext', text]),
      ],
      { stdio: 'pipe' },
    );
    return { chain: readFileSync(files.certificate, 'utf8'), key: readFileSync(files.key, 'utf8'), files };
  }

  dispose(): void {
    rmSync(this.folder, { recursive: true, force: true });
  }
}

const P256 = ['ec', '-pkeyopt', 'ec_paramgen_curve:prime256v1'];
