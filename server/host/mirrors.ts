import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';

/**
 * The host's own sources of `suite`, as mirror arguments of mmdebstrap(1): a machine behind a company's mirror gets the base
 * system from there too. Empty (mmdebstrap's default, Debian's own mirrors) where the host is not a Debian. PAAS_DEBIAN_MIRROR comes first.
 */
export function debianMirrors(suite: string, env: Record<string, string | undefined>): string[] {
  if (env.PAAS_DEBIAN_MIRROR) return [env.PAAS_DEBIAN_MIRROR];
  const release = parseOsRelease(readIfThere('/etc/os-release'));
  if (release.ID !== 'debian' || !release.VERSION_CODENAME) return [];
  return translateSources(readSources(), { from: release.VERSION_CODENAME, to: suite });
}

/** `KEY=value` lines of os-release(5). */
export function parseOsRelease(text: string): Record<string, string> {
  const entries = text.split('\n').map((line) => /^([A-Z_]+)="?([^"]*)"?$/.exec(line));
  return Object.fromEntries(entries.filter((match) => match !== null).map((match) => [match[1], match[2]]));
}

export interface Source {
  uri: string;
  suite: string;
  signedBy: string | undefined;
}

/** The sources in apt's one-line format (sources.list(5)) that have Debian's `main`. */
export function parseOneLineSources(text: string): Source[] {
  return text.split('\n').flatMap((line) => {
    const match = /^deb\s+(?:\[([^\]]*)\]\s+)?(\S+)\s+(\S+)\s+(.*)$/.exec(line.trim());
    if (!match?.[4]?.split(/\s+/).includes('main')) return [];
    return [{ uri: match[2]!, suite: match[3]!, signedBy: /signed-by=(\S+)/.exec(match[1] ?? '')?.[1] }];
  });
}

/** The same for the paragraphs of a `.sources` file (deb822). */
export function parseDeb822Sources(text: string): Source[] {
  return text.split(/\n\s*\n/).flatMap((paragraph) => {
    const field = (name: string) =>
      new RegExp(`^${name}:[ \\t]*(\\S.*)$`, 'im').exec(paragraph)?.[1]?.trim().split(/\s+/) ?? [];
    const wanted = field('Types').includes('deb') && field('Components').includes('main');
    if (!wanted || field('Enabled')[0] === 'no') return [];
    const signedBy = field('Signed-By')[0];
    return field('URIs').flatMap((uri) => field('Suites').map((suite) => ({ uri, suite, signedBy })));
  });
}

/** Lines for another release from the same mirrors. Only plain http(s) addresses without a password: they end up in the image. */
export function translateSources(sources: Source[], codenames: { from: string; to: string }): string[] {
  const lines = sources
    .filter(({ uri }) => /^https?:\/\/[^@]+$/.test(uri))
    .filter(({ suite }) => suite.split('-')[0] === codenames.from)
    .filter(({ suite }) => /^[a-z]+(-updates|-security)?$/.test(suite))
    .map(({ uri, suite, signedBy }) => {
      const options = signedBy?.startsWith('/') ? `[signed-by=${signedBy}] ` : '';
      return `deb ${options}${uri} ${suite.replace(codenames.from, codenames.to)} main`;
    });
  // Without the release itself the rest is of no use.
  return lines.some((line) => line.includes(` ${codenames.to} `)) ? [...new Set(lines)] : [];
}

function readSources(): Source[] {
  const folder = '/etc/apt/sources.list.d';
  const files = existsSync(folder) ? readdirSync(folder).sort() : [];
  return [
    ...parseOneLineSources(readIfThere('/etc/apt/sources.list')),
    ...files
      .filter((name) => name.endsWith('.list'))
      .flatMap((name) => parseOneLineSources(readIfThere(join(folder, name)))),
    ...files
      .filter((name) => name.endsWith('.sources'))
      .flatMap((name) => parseDeb822Sources(readIfThere(join(folder, name)))),
  ];
}

function readIfThere(file: string): string {
  return existsSync(file) ? readFileSync(file, 'utf8') : '';
}
