import { existsSync, readFileSync, statSync } from 'node:fs';
import { tryProgram } from './program.ts';

/**
 * The npm settings of whoever starts the platform that decide whether packages can be had (registry, proxies, certificates), as
 * the text of an npmrc. No tokens: builds run other people's code. undefined: npm is not there or does not answer.
 */
export async function readNpmSettings(): Promise<string | undefined> {
  const { status, stdout } = await tryProgram(['npm', 'config', 'list', '--json']);
  if (status !== 0) return undefined;
  try {
    return npmrc(JSON.parse(stdout) as Record<string, unknown>, readCertificates);
  } catch {
    return undefined;
  }
}

/** The lines of an npmrc; `read` gives a CA file's content, as the builds cannot see the host's files. */
export function npmrc(settings: Record<string, unknown>, read: (file: string) => string[]): string {
  const lines = Object.entries(settings).flatMap(([key, value]) => {
    // The base system has the host's bundle at the same place; any other file must go into the npmrc itself.
    if (key === 'cafile' && value === HOST_BUNDLE) return [`cafile=${HOST_BUNDLE}`];
    if (key === 'cafile' && typeof value === 'string') return caLines(read(value));
    if (key === 'ca' && value) return caLines([value].flat().map(String));
    const wanted = KEPT.has(key) || /^@[^:]+:registry$/.test(key);
    const text = [value ?? ''].flat().join(',');
    return wanted && text ? [`${key}=${text}`] : [];
  });
  return lines.map((line) => `${line}\n`).join('');
}

const KEPT = new Set(['registry', 'proxy', 'https-proxy', 'noproxy', 'strict-ssl', 'replace-registry-host']);

const HOST_BUNDLE = '/etc/ssl/certs/ca-certificates.crt';
const BUNDLE_LIMIT = 256 * 1024;

function caLines(certificates: string[]): string[] {
  return certificates.map((pem) => `ca[]=${JSON.stringify(pem)}`);
}

function readCertificates(file: string): string[] {
  if (!existsSync(file) || statSync(file).size > BUNDLE_LIMIT) return [];
  return readFileSync(file, 'utf8').match(/-----BEGIN CERTIFICATE-----[^-]+-----END CERTIFICATE-----/g) ?? [];
}
