import type { SourceTree } from '../source-tree.ts';
import type { PackageJson } from './package-json.ts';

/** What only npm gives to a script: variables of its own, arguments after `--`. */
const needsNpm = /\bnpm_|\bINIT_CWD\b|\n/;

/**
 * The default command of `web`, what `npm start` would do, undefined where it could do nothing. The start script's own
 * command stands in for `npm start`, also in listings, where npm would add nothing but 100 ms to every boot and a
 * process between the app and its signals; node_modules/.bin is on the PATH of every dyno.
 */
export function webCommand({ scripts }: PackageJson, tree: SourceTree): string | undefined {
  const start = scripts.get('start')?.trim();
  if (!start) return tree.files.has('server.js') ? 'node server.js' : undefined;
  if (scripts.has('prestart') || scripts.has('poststart') || needsNpm.test(start)) return 'npm start';
  return start;
}
