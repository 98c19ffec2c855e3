// Shows the platform's whole job with a sample app, in a scratch folder and on free ports: npm run demo [-- --keep]
// Uses only what every user has: git push, ssh and HTTP.
import { cpSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { DemoPlatform } from './demo-platform.ts';
import { LoadGenerator } from './load-generator.ts';
import { fetchText, git, gitPush, makeKey, run, sshCommand } from './user-tools.ts';

const APP = 'demo';
const keep = process.argv.includes('--keep');
const checkout = join(import.meta.dirname, '..', '..');
// Not below /tmp: that may be memory, or an overlay's poor neighbour.
const scratch = mkdtempSync('/var/tmp/paas-demo-');
const platform = new DemoPlatform({ checkout, scratch });

const INTERRUPTED = 'interrupted';
// One Ctrl-C: stop and clean up as at the end.
const interrupted = new Promise<never>((_, reject) => {
  for (const signal of ['SIGINT', 'SIGTERM'] as const)
    process.once(signal, () => reject(new Error(INTERRUPTED)));
});
interrupted.catch(() => undefined);

let status = 0;
try {
  await Promise.race([demo(), interrupted]);
} catch (error) {
  status = 1;
  const { message } = error as Error;
  say(message === INTERRUPTED ? '\nInterrupted; cleaning up …' : `\nThe demo failed: ${message}`);
  if (message !== INTERRUPTED && platform.lastLog) say(`The platform's last words:\n${platform.lastLog}`);
}
if (keep && status === 0) {
  say(`\nIt goes on until you stop it:\n  ${platform.stopCommand}\n  rm -rf ${scratch}`);
} else {
  await step('everything gone again', async () => {
    await platform.stopWithApps();
    rmSync(scratch, { recursive: true, force: true });
    return '';
  });
}
process.exit(status);

async function demo(): Promise<void> {
  const key = await makeKey(scratch);
  const { http, ssh, dashboard } = await step('platform up', async () => {
    const endpoints = await platform.start(`${key}.pub`);
    return { value: endpoints, note: `HTTP ${endpoints.http}, SSH ${endpoints.ssh}` };
  });
  const work = join(scratch, 'app');
  const sshOptions = { key, ssh, knownHosts: join(scratch, 'known_hosts') };
  const get = (path = '/') => fetchText({ address: http, host: `${APP}.localhost`, path });
  const command = (...words: string[]) => sshCommand(sshOptions, words);

  await step('sample app with express, committed', async () => {
    cpSync(join(checkout, 'test/fixtures/apps/node-express'), work, { recursive: true });
    await git(work, sshOptions, 'init', '--quiet', '--initial-branch=main');
    await commit(work, sshOptions, 'first version');
    await git(work, sshOptions, 'remote', 'add', 'paas', `ssh://paas@${ssh}/${APP}.git`);
    return work;
  });
  await step('git push paas main', async () => {
    await gitPush(work, sshOptions, (line) => say(`           | ${line}`));
    return `answers "${await get()}"`;
  });
  await step('ps:scale web=3', async () => {
    await command('ps:scale', 'web=3', '-a', APP);
    const dynos = new Set<string>();
    for (let tries = 0; tries < 60 && dynos.size < 3; tries += 1) dynos.add(await dynoOf(get));
    return `${[...dynos].sort().join(', ')} answer`;
  });
  await step('an update under load', async () => {
    const load = new LoadGenerator({ address: http, host: `${APP}.localhost`, perSecond: 100 });
    load.start();
    writeFileSync(join(work, 'version.txt'), 'version 2\n');
    await commit(work, sshOptions, 'second version');
    await git(work, sshOptions, 'push', '--quiet', 'paas', 'main');
    await load.seeAnswer('version 2');
    const { requests, failures, slowest } = await load.stop();
    if (failures.length > 0)
      throw new Error(`${failures.length} of ${requests} requests failed: ${failures[0]}`);
    return `${requests} requests meanwhile, 0 failed, the slowest ${slowest.toFixed(0)} ms; answers "${await get()}"`;
  });
  await step('rollback', async () => {
    await command('releases:rollback', '-a', APP);
    return `answers "${await get()}"`;
  });
  say(`\nThe app: http://${APP}.localhost:${http.split(':').at(-1)}/   The dashboard: ${dashboard}`);
  say(`(sign in with: ssh -i ${key} -p ${ssh.split(':').at(-1)} paas@localhost login)`);
}

async function commit(work: string, options: Parameters<typeof git>[1], message: string): Promise<void> {
  await git(work, options, 'add', '--all');
  await run(
    'git',
    ['-c', 'user.name=Demo', '-c', 'user.email=demo@localhost', 'commit', '--quiet', '-m', message],
    { cwd: work },
  );
}

async function dynoOf(get: (path: string) => Promise<string>): Promise<string> {
  const environment = JSON.parse(await get('/environment')) as Record<string, string>;
  return environment.DYNO ?? '?';
}

async function step(title: string, work: () => Promise<string>): Promise<string>;
async function step<T>(title: string, work: () => Promise<{ value: T; note: string }>): Promise<T>;
async function step<T>(
  title: string,
  work: () => Promise<string | { value: T; note: string }>,
): Promise<T | string> {
  const begun = performance.now();
  if (process.stdout.isTTY) process.stdout.write(`        …  ${title}\r`);
  const result = await work();
  const seconds = ((performance.now() - begun) / 1000).toFixed(2).padStart(7);
  const note = typeof result === 'string' ? result : result.note;
  say(`${seconds} s  ${title}${note && `: ${note}`}`);
  return typeof result === 'string' ? result : result.value;
}

function say(text: string): void {
  // Over the line of a step that is under way.
  process.stdout.write(`${process.stdout.isTTY ? '\x1b[K' : ''}${text}\n`);
}
