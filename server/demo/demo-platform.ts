import { type ChildProcess, spawn } from 'node:child_process';
import { chmodSync, existsSync, openSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import type { Endpoints } from '../config.ts';
import { overlapping, parseRoutes } from '../host-networks.ts';
import { run } from './user-tools.ts';

/** A platform of its own in a scratch folder: free ports, a free network. */
export class DemoPlatform {
  readonly #checkout: string;
  readonly #env: Record<string, string>;
  readonly #log: string;
  #main: ChildProcess | undefined;

  constructor({ checkout, scratch }: { checkout: string; scratch: string }) {
    // Of root, but user paas must be able to pass.
    chmodSync(scratch, 0o711);
    this.#checkout = checkout;
    this.#log = join(scratch, 'platform.log');
    this.#env = {
      PAAS_DATA: join(scratch, 'data'),
      PAAS_RUN: join(scratch, 'run'),
      PAAS_HTTP: '127.0.0.1:0',
      PAAS_HTTPS: '127.0.0.1:0',
      PAAS_SSH: '127.0.0.1:0',
      PAAS_DOMAIN: 'localhost',
      PAAS_SUBNET: freeSubnet(readFileSync('/proc/net/route', 'utf8')),
    };
  }

  /** Resolves when everything answers. */
  async start(adminKey: string): Promise<Endpoints> {
    const log = openSync(this.#log, 'a');
    const env = { ...process.env, ...this.#env, PAAS_ADMIN_KEY: adminKey };
    // A session of its own: with --keep it goes on after us, and Ctrl-C is ours to pass on.
    this.#main = spawn(process.execPath, [join(this.#checkout, 'server/main.ts')], {
      env,
      detached: true,
      stdio: ['ignore', log, log],
    });
    this.#main.unref();
    const endpoints = join(this.#env.PAAS_RUN ?? '', 'endpoints.json');
    while (!existsSync(endpoints)) {
      if (this.#main.exitCode !== null) throw new Error('the platform did not start');
      await sleep(20);
    }
    return JSON.parse(readFileSync(endpoints, 'utf8')) as Endpoints;
  }

  async stopWithApps(): Promise<void> {
    if (!this.#main) return;
    const argv = [join(this.#checkout, 'server/main.ts'), 'stop', '--apps'];
    await run(process.execPath, argv, { env: { ...process.env, ...this.#env } });
  }

  /** For a user to type. */
  get stopCommand(): string {
    const settings = ['PAAS_DATA', 'PAAS_RUN', 'PAAS_SUBNET'].map((name) => `${name}=${this.#env[name]}`);
    return `sudo ${settings.join(' ')} npm start -- stop --apps`;
  }

  get lastLog(): string {
    return existsSync(this.#log)
      ? readFileSync(this.#log, 'utf8').trim().split('\n').slice(-15).join('\n')
      : '';
  }
}

/** A /24 that no route of the machine (/proc/net/route) leads to. */
export function freeSubnet(table: string): string {
  const routes = parseRoutes(table);
  const candidates = ['172.29', '10.213', '100.99'].flatMap((start) =>
    Array.from({ length: 256 }, (_, index) => `${start}.${(process.pid + index) % 256}.0/24`),
  );
  const free = candidates.find((subnet) => overlapping(routes, subnet).length === 0);
  if (!free) throw new Error('this machine has routes to all networks that the demo could use');
  return free;
}
