import { PaasError } from './paas-error.ts';

/** Names that mean something else in a host name or on the command line. */
const RESERVED = new Set([
  'paas',
  'www',
  'api',
  'admin',
  'dashboard',
  'localhost',
  'git',
  'ssh',
  'mail',
  'help',
]);

/** An app's name is a DNS label, since it becomes one: `<app>.<domain>`. Throws `invalid` with what is wrong. */
export function parseAppName(name: string): string {
  const problem = appNameProblem(name);
  if (problem) throw new PaasError('invalid', `The app name ${quote(name)} ${problem}.`);
  return name;
}

function appNameProblem(name: string): string | undefined {
  if (name.length === 0) return 'is empty';
  if (name.length > 63) return 'is too long: at most 63 characters';
  if (!/^[a-z0-9-]+$/.test(name)) return 'may have only lower-case letters, digits and hyphens';
  if (!/^[a-z]/.test(name)) return 'must start with a letter';
  if (name.endsWith('-')) return 'must not end with a hyphen';
  if (name.startsWith('xn--')) return 'must not start with "xn--"';
  if (RESERVED.has(name)) return 'is reserved';
  return undefined;
}

/** Printable, and short enough for a message, whatever was given. */
export function quote(text: string): string {
  return JSON.stringify(text.length > 80 ? `${text.slice(0, 80)}…` : text);
}
