import { EngineError } from '../engine-error.ts';
import type { ImageConfig } from './image.ts';

/**
 * Reads `changes` of a commit or an import: Dockerfile instructions, e.g. `CMD ["serve"]`, `ENV A=1`. What they say is to be
 * merged over the config. Throws `invalid` for an instruction that says nothing about a config, or that is malformed.
 */
export function parseChanges(changes: string[]): Partial<ImageConfig> {
  const config: Partial<ImageConfig> = {};
  for (const line of changes.flatMap((change) => change.split('\n')).map((text) => text.trim())) {
    if (line !== '') applyInstruction(config, line);
  }
  return config;
}

function applyInstruction(config: Partial<ImageConfig>, line: string): void {
  const [, name = '', rest = ''] = /^(\S+)\s*(.*)$/s.exec(line) ?? [];
  switch (name.toUpperCase()) {
    case 'CMD':
      config.Cmd = commandOf(rest);
      break;
    case 'ENTRYPOINT':
      config.Entrypoint = commandOf(rest);
      break;
    case 'ENV':
      config.Env = [...(config.Env ?? []), ...pairsOf(rest, line).map(([key, value]) => `${key}=${value}`)];
      break;
    case 'LABEL':
      config.Labels = { ...config.Labels, ...Object.fromEntries(pairsOf(rest, line)) };
      break;
    case 'EXPOSE':
      config.ExposedPorts = { ...config.ExposedPorts, ...asSet(wordsOf(rest).map(portOf)) };
      break;
    case 'VOLUME':
      config.Volumes = { ...config.Volumes, ...asSet(listOf(rest) ?? wordsOf(rest)) };
      break;
    case 'USER':
      config.User = requireText(rest, line);
      break;
    case 'WORKDIR':
      config.WorkingDir = requireFolder(rest, line);
      break;
    case 'STOPSIGNAL':
      config.StopSignal = requireText(rest, line);
      break;
    case 'ONBUILD':
      config.OnBuild = [...(config.OnBuild ?? []), requireText(rest, line)];
      break;
    default:
      throw new EngineError('invalid', `"${name}" is not a valid change command: ${line}`);
  }
}

/** `["a", "b"]` as it is; anything else is for the shell. */
function commandOf(text: string): string[] {
  return listOf(text) ?? (text === '' ? [] : ['/bin/sh', '-c', text]);
}

function listOf(text: string): string[] | undefined {
  if (!text.startsWith('[')) return undefined;
  try {
    const list: unknown = JSON.parse(text);
    return Array.isArray(list) && list.every((item) => typeof item === 'string') ? list : undefined;
  } catch {
    return undefined;
  }
}

/** `A=1 B="two words"`, or the old form `A one value`. */
function pairsOf(text: string, line: string): [string, string][] {
  const words = wordsOf(text);
  if (words[0] && !words[0].includes('=')) {
    const value = text.slice(words[0].length).trim();
    if (value === '') throw new EngineError('invalid', `A name and its value are expected: ${line}`);
    return [[words[0], value]];
  }
  return words.map((word) => {
    const at = word.indexOf('=');
    if (at <= 0) throw new EngineError('invalid', `NAME=VALUE is expected: ${line}`);
    return [word.slice(0, at), word.slice(at + 1)];
  });
}

/** Split at blanks; quotes and backslashes keep them, as in a shell. */
function wordsOf(text: string): string[] {
  const words = text.match(/(?:\\.|"(?:\\.|[^"\\])*"|'[^']*'|[^\s"'\\])+/gs) ?? [];
  return words.map((word) =>
    word.replace(/\\(.)|"((?:\\.|[^"\\])*)"|'([^']*)'/gs, (_, escaped, double, single) => {
      return escaped ?? single ?? String(double).replace(/\\(.)/gs, '$1');
    }),
  );
}

function portOf(word: string): string {
  const match = /^(\d{1,5})(?:\/(tcp|udp|sctp))?$/.exec(word);
  if (!match || Number(match[1]) > 65_535) {
    throw new EngineError('invalid', `"${word}" is not a port, e.g. 80 or 53/udp.`);
  }
  return `${match[1]}/${match[2] ?? 'tcp'}`;
}

function asSet(names: string[]): Record<string, object> {
  return Object.fromEntries(names.map((name) => [name, {}]));
}

function requireText(text: string, line: string): string {
  if (text === '') throw new EngineError('invalid', `A value is expected: ${line}`);
  return text;
}

function requireFolder(text: string, line: string): string {
  if (!text.startsWith('/')) throw new EngineError('invalid', `An absolute path is expected: ${line}`);
  return text;
}
