import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';

/** Settings of pip that decide where packages come from, and the variables that builds get them by. */
const VARIABLES: Record<string, string> = {
  'index-url': 'PIP_INDEX_URL',
  'extra-index-url': 'PIP_EXTRA_INDEX_URL',
  'trusted-host': 'PIP_TRUSTED_HOST',
};

/** What the environment says as it is, else what pip.conf says, the machine's or that of whoever starts the platform (HOME). */
export function pipSettings(env: Record<string, string | undefined>): Record<string, string> {
  const given = Object.values(VARIABLES).flatMap((name) => (env[name] ? [[name, env[name]]] : []));
  const texts = pipFiles(env.HOME)
    .filter((file) => existsSync(file))
    .map((file) => readFileSync(file, 'utf8'));
  return { ...pipVariables(texts), ...Object.fromEntries(given) };
}

/** As pip(1) reads them, the later over the earlier. */
function pipFiles(home: string | undefined): string[] {
  const own = home ? [join(home, '.pip/pip.conf'), join(home, '.config/pip/pip.conf')] : [];
  return ['/etc/xdg/pip/pip.conf', '/etc/pip.conf', ...own];
}

/**
 * The variables that the texts of pip.conf come to. Only plain http(s) indexes without a password: builds run other people's code, and cannot see
 * the host's files.
 */
export function pipVariables(texts: string[]): Record<string, string> {
  const sections = texts.flatMap(parsePipConf);
  // What is said of `pip install` alone goes before what is said of all commands.
  const entries = ['global', 'install'].flatMap((name) => sections.filter(({ section }) => section === name));
  const variables = new Map<string, string>();
  for (const { key, value } of entries) {
    const words = value
      .split(/\s+/)
      .filter((word) => key === 'trusted-host' || /^https?:\/\/[^@]+$/.test(word));
    if (words.length > 0) variables.set(VARIABLES[key]!, words.join(' '));
    else variables.delete(VARIABLES[key]!);
  }
  return Object.fromEntries(variables);
}

interface Entry {
  section: string;
  key: string;
  value: string;
}

/** Those entries that we know, in their order; a line that is indented goes on with the value before it (configparser of Python). */
function parsePipConf(text: string): Entry[] {
  const entries: Entry[] = [];
  let section = '';
  for (const line of text.split('\n')) {
    if (/^\s*([#;]|$)/.test(line)) continue;
    const header = /^\[([^\]]+)\]/.exec(line);
    const pair = /^([^\s=:][^=:]*?)\s*[=:]\s*(.*)$/.exec(line);
    if (header) section = header[1]!;
    else if (/^\s/.test(line) && entries.length > 0) entries.at(-1)!.value += ` ${line.trim()}`;
    else if (pair)
      entries.push({ section, key: pair[1]!.toLowerCase().replaceAll('_', '-'), value: pair[2]! });
  }
  return entries
    .filter(({ key }) => Object.hasOwn(VARIABLES, key))
    .map((entry) => ({ ...entry, value: entry.value.trim() }));
}
