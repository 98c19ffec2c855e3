// The main process: prepares an instance's folders, starts redis, runtime, router and control, and starts again what dies.
//   main.ts                    run in the foreground until SIGTERM, SIGINT or `stop`; the apps go on
//   main.ts stop [--apps]      stop the platform; with --apps the apps' containers too
//   main.ts install            run for good, as a systemd unit
//   main.ts doctor             what the platform needs of this machine, and whether it is there
import { existsSync, readFileSync, rmSync } from 'node:fs';
import { flushCompileCache } from 'node:module';
import { dirname, join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { PaasError } from '../deploy/model/paas-error.ts';
import { type Address, type Config, parseConfig, paths } from './config.ts';
import { adminKeys } from './host/admin-key.ts';
import { requireBaseSystem } from './host/base-system.ts';
import { ensureFolders } from './host/folders.ts';
import { listenForStop, mainSocket, requestStop, runningMain } from './host/main-socket.ts';
import { PassedSockets } from './host/passed-sockets.ts';
import { pipSettings } from './host/pip-settings.ts';
import { PlatformInstance } from './host/platform-instance.ts';
import { programFor } from './host/program-copy.ts';
import { firstSteps } from './host/summary.ts';
import { platformUser } from './host/system-user.ts';
import { hasSystemd, installUnit, isUnitsProcess, stopUnit, withInstalledSettings } from './host/systemd.ts';
import { freeMemoryWhenIdle } from './idle-memory.ts';

const CHECKOUT = dirname(import.meta.dirname);

// Not readable but by root: others get the defaults.
const SETTINGS = process.getuid?.() === 0 ? withInstalledSettings(process.env) : process.env;

// Opened by systemd, if it starts this process with the unit's sockets.
const PASSED = new PassedSockets(process.env);

try {
  await main(process.argv.slice(2), parseConfig(SETTINGS));
} catch (error) {
  log('main', error instanceof PaasError ? error.message : ((error as Error).stack ?? String(error)));
  process.exit(1);
}

async function main([verb = 'run', ...flags]: string[], config: Config): Promise<void> {
  switch (verb) {
    case 'run':
      return run(config);
    case 'stop':
      return stop(config, flags.includes('--apps'));
    case 'install':
      return install(config);
    case 'doctor':
      await import('./host/doctor.ts');
      return;
    default:
      throw new PaasError(
        'invalid',
        `Unknown command "${verb}": stop [--apps], install or doctor, or nothing to run.`,
      );
  }
}

async function run(config: Config): Promise<void> {
  requireRoot();
  const keys = requireAdminKeys(config);
  // Before the checks, which take a running platform's ports for its own.
  await refuseSecond(config);
  await requireHost(config);
  const instance = await prepare(config, keys);
  await runUntilStopped(config, instance);
}

async function runUntilStopped(config: Config, instance: PlatformInstance): Promise<void> {
  let stopping: Promise<void> | undefined;
  const stopOnce = ({ apps }: { apps: boolean }) => {
    stopping ??= instance.stop({ apps });
    return stopping;
  };
  const server = await listenForStop(config, (request) => {
    const stopped = stopOnce(request);
    stopped.then(() => finish(config), fail);
    return stopped;
  });
  const onSignal = () => stopOnce({ apps: false }).then(() => finish(config), fail);
  process.on('SIGTERM', onSignal).on('SIGINT', onSignal).on('SIGHUP', onSignal);
  try {
    const endpoints = await instance.start();
    flushCompileCache();
    freeMemoryWhenIdle();
    if (!stopping) process.stdout.write(firstSteps(endpoints, { systemd: hasSystemd(), config }));
  } catch (error) {
    server.close();
    if (!stopping) throw error;
  }
}

async function prepare(config: Config, keys: string): Promise<PlatformInstance> {
  const user = platformUser();
  ensureFolders(config, user);
  rmSync(paths(config).endpoints, { force: true });
  const around = {
    program: await programFor(CHECKOUT, join(config.data, 'program')),
    node: process.execPath,
    base: requireBaseSystem(),
    adminKeys: keys,
    pip: pipSettings(SETTINGS),
    environment: SETTINGS,
    passed: PASSED,
  };
  const node = join(around.program, process.execPath.slice(CHECKOUT.length + 1));
  if (process.execPath.startsWith(`${CHECKOUT}/`)) around.node = node;
  return new PlatformInstance(config, { around, user, log });
}

async function stop(config: Config, apps: boolean): Promise<void> {
  requireRoot();
  const main = await runningMain(config);
  // systemd would start it again at once.
  if (main !== undefined && (await isUnitsProcess(main))) await stopUnit();
  const stopped = main !== undefined;
  const asked = await requestStop(config, { apps });
  if (apps && !asked && existsSync(paths(config).runtime)) await removeWithoutMain(config);
  const left = apps
    ? 'nothing of it runs'
    : 'the apps go on (stop them too with: sudo npm start -- stop --apps)';
  log(
    'main',
    stopped ? `stopped; ${left}` : `the platform of "${config.run}" did not run${apps ? `; ${left}` : ''}`,
  );
}

// Somebody must stop the containers: a runtime on its own does.
async function removeWithoutMain(config: Config): Promise<void> {
  const instance = await prepare(config, '');
  await instance.startRuntime();
  await instance.stop({ apps: true });
}

async function install(config: Config): Promise<void> {
  requireRoot();
  requireAdminKeys(config);
  const main = await runningMain(config);
  if (main === undefined) await requireHost(config);
  else if (!(await isUnitsProcess(main))) await requestStop(config, { apps: false });
  const listens = [config.http, config.https].filter((address) => address !== undefined && address.port > 0);
  await installUnit(CHECKOUT, { env: SETTINGS, listens: listens as Address[] });
  log(
    'main',
    'installed as the systemd unit "paas" (journalctl -fu paas shows its log); waiting for it to answer …',
  );
  const { endpoints } = paths(config);
  for (let waited = 0; waited < 240 && !existsSync(endpoints); waited += 1) await sleep(1000);
  if (!existsSync(endpoints)) {
    throw new PaasError('unavailable', 'The unit does not answer. See why: journalctl -u paas -n 50');
  }
  process.stdout.write(firstSteps(JSON.parse(readFileSync(endpoints, 'utf8')), { systemd: false, config }));
}

function requireRoot(): void {
  if (process.getuid?.() === 0) return;
  throw new PaasError(
    'forbidden',
    'Must run as root (it makes containers and network addresses). Use: sudo npm start',
  );
}

// Once there is a database, its keys are the truth, and the first admin's file may be gone.
function requireAdminKeys(config: Config): string {
  const known = existsSync(paths(config).database);
  const keys = known ? presentAdminKeys(config) : adminKeys(config.adminKey, process.env);
  if (keys === '' && !known) {
    throw new PaasError(
      'invalid',
      'There is no SSH public key for the first admin. Make one (ssh-keygen -t ed25519), or name its file: PAAS_ADMIN_KEY=/path/to/key.pub',
    );
  }
  return keys;
}

function presentAdminKeys(config: Config): string {
  try {
    return adminKeys(config.adminKey, process.env);
  } catch {
    return '';
  }
}

async function refuseSecond(config: Config): Promise<void> {
  if ((await runningMain(config)) === undefined) return;
  throw new PaasError(
    'conflict',
    `The platform of "${config.run}" runs already. Stop it with: sudo npm start -- stop`,
  );
}

async function requireHost(config: Config): Promise<void> {
  const { checkHost, complaint } = await import('./host/checks.ts');
  // A platform that has apps goes on, though its host got a network that overlaps with theirs.
  const isNew = !existsSync(paths(config).database);
  // The processes of a main that was killed may still hold the ports for a moment.
  for (let tries = 1; ; tries += 1) {
    const checks = await checkHost(config, (address) => PASSED.has(address));
    const failed = checks.filter(({ ok }) => !ok);
    const fatal = failed.filter(({ name }) => isNew || name !== 'subnet');
    if (fatal.length === 0) {
      for (const check of failed) log('main', complaint(check));
      return;
    }
    const waits =
      tries < 20 && existsSync(paths(config).endpoints) && fatal.every(({ name }) => name.startsWith('port'));
    if (!waits) throw new PaasError('unavailable', fatal.map(complaint).join('\nmain    | '));
    await sleep(500);
  }
}

function finish(config: Config): void {
  for (const path of [paths(config).endpoints, mainSocket(config)]) rmSync(path, { force: true });
  exitSoon(0);
}

function fail(error: Error): void {
  log('main', error.message);
  exitSoon(1);
}

// What asked to stop gets its answer first.
function exitSoon(status: number): void {
  setTimeout(() => process.exit(status), 20);
}

function log(name: string, line: string): void {
  process.stderr.write(`${name.padEnd(7)} | ${line}\n`);
}
