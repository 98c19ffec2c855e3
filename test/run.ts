// Runs the tests one after another with mocha, and ends with a plain line: `N passed, N failed`.
//   node test/run.ts [--rootless] [--grep TEXT] [FILE OR FOLDER …]
// --rootless: not the folders system/ and e2e/, which need root or take their time.
import { readdirSync, statSync } from 'node:fs';
import { dirname, join, relative, resolve } from 'node:path';
import { parseArgs } from 'node:util';

const ROOT = dirname(import.meta.dirname);
const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: { rootless: { type: 'boolean', default: false }, grep: { type: 'string' } },
});

const files = testFiles(positionals.length > 0 ? positionals : ['test'], values.rootless);
if (files.length === 0) {
  process.stderr.write(`No test file (*.test.ts) in: ${positionals.join(' ')}\n`);
  process.exit(2);
}
if (process.getuid?.() !== 0 && !values.rootless) {
  process.stderr.write('Not root: the tests that make containers are skipped. All of them: sudo npm test\n');
}
const failures = await run(files);
process.exit(failures > 0 ? 1 : 0);

async function run(chosen: string[]): Promise<number> {
  const Mocha = await loadMocha();
  const mocha = new Mocha({
    timeout: 60_000,
    slow: 2_000,
    reporter: 'spec',
    forbidOnly: Boolean(process.env.CI),
    ...(values.grep && { fgrep: values.grep }),
  });
  for (const file of chosen) mocha.addFile(file);
  await mocha.loadFilesAsync();
  return new Promise((done) => {
    const skipped = new Set<string>();
    const runner = mocha.run((failed) => {
      const { passes = 0, pending = 0 } = runner.stats ?? {};
      // Among a thousand lines nobody sees what did not run.
      for (const suite of skipped) process.stdout.write(`skipped here: ${suite}\n`);
      // Something that a test left open must not keep us here; what it says must come out first.
      const line = `${passes} passed, ${failed} failed${pending > 0 ? `, ${pending} skipped` : ''}\n`;
      process.stdout.write(line, () => done(failed));
    });
    runner.on('pending', (test) => skipped.add(test.titlePath()[0] ?? test.title));
  });
}

// Its library for colours decides when it is loaded, and takes CI=true for a terminal.
async function loadMocha() {
  const { NO_COLOR } = process.env;
  if (!process.stdout.isTTY) process.env.NO_COLOR = '1';
  const { default: Mocha } = await import('mocha');
  if (NO_COLOR === undefined) delete process.env.NO_COLOR;
  return Mocha;
}

/** In a fixed order: without root first, then the parts with it, then the whole. */
function testFiles(wanted: string[], rootless: boolean): string[] {
  const rank = (file: string) =>
    1 + ['test/system/', 'test/e2e/'].findIndex((folder) => file.startsWith(folder));
  return wanted
    .flatMap((path) => filesBelow(resolve(path)))
    .map((file) => relative(ROOT, file))
    .filter((file) => !file.startsWith('test/fixtures/') && !(rootless && rank(file) > 0))
    .sort((one, other) => rank(one) - rank(other) || (one < other ? -1 : 1))
    .map((file) => join(ROOT, file));
}

function filesBelow(path: string): string[] {
  if (statSync(path).isFile()) return [path];
  return readdirSync(path, { recursive: true, encoding: 'utf8' })
    .filter((name) => name.endsWith('.test.ts'))
    .map((name) => join(path, name));
}
