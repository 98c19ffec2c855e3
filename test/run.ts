// Runs the tests with mocha, and ends with a plain line: `N passed, N failed`.
//   node test/run.ts [--rootless] [--grep TEXT] [FILE OR FOLDER …]
// --rootless: not the folders system/ and e2e/, which need root or take their time.
// In CI a test that failed runs once more, and is listed at the end if it passed then: that is one to mend, and no reason to keep what was pushed.
// Files that need no root spend half of their time waiting, and share nothing: several run at once. Of the others two: each has an instance of
// its own, and looks at what that one leaves on the machine.
import { readdirSync, statSync } from 'node:fs';
import { availableParallelism } from 'node:os';
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
const rootless = files.filter((file) => rank(file) === 0);
const others = files.filter((file) => rank(file) > 0);
const results = [await run(rootless, availableParallelism() + 1), await run(others, 2)];
report(results);

interface Result {
  passed: number;
  failed: number;
  pending: number;
  /** The names of the outermost suites of which something was skipped. */
  skipped: string[];
  /** The tests that passed at the second try alone, each with why the first failed. */
  unsteady: string[];
  /** Why the first try failed of those whose second failed, too: the one that tells more, often. */
  firstTries: string[];
}

/** `most`: so many files at once, each in a process that is used again. What they print comes file by file. */
async function run(chosen: string[], most: number): Promise<Result> {
  const jobs = Math.min(most, chosen.length);
  if (jobs === 0) return { passed: 0, failed: 0, pending: 0, skipped: [], unsteady: [], firstTries: [] };
  const Mocha = await loadMocha();
  const mocha = new Mocha({
    timeout: 60_000,
    slow: 2_000,
    reporter: 'spec',
    forbidOnly: Boolean(process.env.CI),
    retries: process.env.CI ? 1 : 0,
    ...(values.grep && { fgrep: values.grep }),
    ...(jobs > 1 && { parallel: true, jobs }),
  });
  for (const file of chosen) mocha.addFile(file);
  if (jobs === 1) await mocha.loadFilesAsync();
  return new Promise((done) => {
    const skipped = new Set<string>();
    const first = new Map<string, string>();
    const unsteady: string[] = [];
    const firstTries: string[] = [];
    const runner = mocha.run((failed) => {
      const { passes = 0, pending = 0 } = runner.stats ?? {};
      done({ passed: passes, failed, pending, skipped: [...skipped], unsteady, firstTries });
    });
    runner.on('pending', (test) => skipped.add(test.titlePath()[0] ?? test.title));
    runner.on('retry', (test, error) =>
      first.set(test.titlePath().join(' '), error.message.replace(/\s+/g, ' ').slice(0, 500)),
    );
    const noteFirst = (list: string[]) => (test: { titlePath(): string[] }) => {
      const title = test.titlePath().join(' ');
      const why = first.get(title);
      if (why !== undefined) list.push(`${title}: ${why}`);
    };
    runner.on('pass', noteFirst(unsteady));
    runner.on('fail', noteFirst(firstTries));
  });
}

function report(parts: Result[]): void {
  const sum = (field: 'passed' | 'failed' | 'pending') =>
    parts.reduce((total, part) => total + part[field], 0);
  // Among a thousand lines nobody sees what did not run.
  for (const suite of parts.flatMap(({ skipped }) => skipped))
    process.stdout.write(`skipped here: ${suite}\n`);
  for (const test of parts.flatMap(({ unsteady }) => unsteady))
    process.stdout.write(`passed at the second try only: ${test}\n`);
  for (const test of parts.flatMap(({ firstTries }) => firstTries))
    process.stdout.write(`failed at the first try, too: ${test}\n`);
  // Something that a test left open must not keep us here; what it says must come out first.
  const pending = sum('pending') > 0 ? `, ${sum('pending')} skipped` : '';
  process.stdout.write(`${sum('passed')} passed, ${sum('failed')} failed${pending}\n`, () =>
    process.exit(sum('failed') > 0 ? 1 : 0),
  );
}

// Its library for colours decides when it is loaded, and takes CI=true for a terminal.
async function loadMocha() {
  const { NO_COLOR } = process.env;
  if (!process.stdout.isTTY) process.env.NO_COLOR = '1';
  const { default: Mocha } = await import('mocha');
  if (NO_COLOR === undefined) delete process.env.NO_COLOR;
  return Mocha;
}

/** 0: needs no root. */
function rank(file: string): number {
  return 1 + ['test/system/', 'test/e2e/'].findIndex((folder) => relative(ROOT, file).startsWith(folder));
}

/** In a fixed order: without root first, then the parts with it, then the whole. */
function testFiles(wanted: string[], rootless: boolean): string[] {
  return wanted
    .flatMap((path) => filesBelow(resolve(path)))
    .filter((file) => !relative(ROOT, file).startsWith('test/fixtures/') && !(rootless && rank(file) > 0))
    .sort((one, other) => rank(one) - rank(other) || (one < other ? -1 : 1));
}

function filesBelow(path: string): string[] {
  if (statSync(path).isFile()) return [path];
  return readdirSync(path, { recursive: true, encoding: 'utf8' })
    .filter((name) => name.endsWith('.test.ts'))
    .map((name) => join(path, name));
}
