import { spawn } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import ssh2 from 'ssh2';
import { parseConfig } from '../../../server/config.ts';
import { makeKeyPair } from '../../../server/ssh/key-pair.ts';
import { createSshServer, type SshServer, type SshServerOptions } from '../../../server/ssh/ssh-server.ts';
import { MemoryPlatform } from '../memory-platform.ts';

export interface Result {
  status: number;
  stdout: string;
  stderr: string;
}

export interface ClientKey {
  /** Of the private key. */
  file: string;
  private: string;
  publicLine: string;
  blob: Buffer;
}

/** An SSH server on a free port of loopback before a platform in memory, where alice's key may sign in. */
export class SshFixture {
  readonly platform = new MemoryPlatform();
  readonly folder = mkdtempSync(join(tmpdir(), 'paas-ssh-'));
  readonly logged: string[] = [];
  alice!: ClientKey;
  port = 0;
  #server: SshServer | undefined;

  async start(options: Partial<SshServerOptions> = {}): Promise<this> {
    this.alice = this.makeKey('alice');
    this.platform.addKey('alice', this.alice.blob);
    this.#server = createSshServer({
      platform: this.platform,
      config: parseConfig({
        PAAS_DATA: join(this.folder, 'data'),
        PAAS_RUN: join(this.folder, 'run'),
        PAAS_DOMAIN: 'example.com',
        PAAS_SSH: '127.0.0.1:0',
      }),
      doctor: async () => [{ name: 'kernel', state: 'ok', message: 'Linux 6.18' }],
      dashboardUrl: () => 'http://paas.example.com',
      log: (message, cause) => this.logged.push(`${message} ${cause ?? ''}`),
      ...options,
    });
    this.port = (await this.#server.listen()).port;
    return this;
  }

  async stop(): Promise<void> {
    await this.#server?.close();
    rmSync(this.folder, { recursive: true, force: true });
  }

  makeKey(name: string): ClientKey {
    const pair = makeKeyPair(name);
    const file = join(this.folder, `${name}.key`);
    writeFileSync(file, pair.private, { mode: 0o600 });
    writeFileSync(`${file}.pub`, `${pair.public}\n`);
    return {
      file,
      private: pair.private,
      publicLine: pair.public,
      blob: Buffer.from(pair.public.split(' ')[1]!, 'base64'),
    };
  }

  /** Options for OpenSSH's client that keep this user's own keys and settings out of it. */
  clientOptions(key = this.alice): string[] {
    return [
      ...['-F', 'none', '-p', String(this.port), '-i', key.file],
      ...['IdentitiesOnly=yes', 'IdentityAgent=none', 'BatchMode=yes', 'LogLevel=ERROR'].flatMap((o) => [
        '-o',
        o,
      ]),
      ...['StrictHostKeyChecking=no', `UserKnownHostsFile=${join(this.folder, 'known_hosts')}`].flatMap(
        (o) => ['-o', o],
      ),
    ];
  }

  /** Runs `ssh paas@127.0.0.1 COMMAND` with OpenSSH's client. */
  ssh(command: string[], { input = '', options = [] as string[], key = this.alice } = {}): Promise<Result> {
    return execute('ssh', [...this.clientOptions(key), ...options, 'paas@127.0.0.1', ...command], { input });
  }

  /** A signed-in connection of ssh2's client. */
  connect(key = this.alice, more: Partial<ssh2.ConnectConfig> = {}): Promise<ssh2.Client> {
    const client = new ssh2.Client();
    return new Promise((resolve, reject) => {
      client.on('ready', () => resolve(client)).on('error', reject);
      // The server may end it without a word, which is no error to ssh2.
      client.on('close', () => reject(new Error('the connection was closed before it was signed in')));
      client.connect({
        host: '127.0.0.1',
        port: this.port,
        username: 'paas',
        privateKey: key.private,
        ...more,
      });
    });
  }
}

export function execute(
  program: string,
  args: string[],
  { input = '', env, cwd }: { input?: string; env?: NodeJS.ProcessEnv; cwd?: string } = {},
): Promise<Result> {
  const child = spawn(program, args, { env: env ?? process.env, cwd });
  const stdout: Buffer[] = [];
  const stderr: Buffer[] = [];
  child.stdout.on('data', (chunk) => stdout.push(chunk));
  child.stderr.on('data', (chunk) => stderr.push(chunk));
  child.stdin.on('error', () => {});
  child.stdin.end(input);
  return new Promise((resolve, reject) => {
    child.on('error', reject);
    child.on('close', (status) =>
      resolve({
        status: status ?? -1,
        stdout: Buffer.concat(stdout).toString(),
        stderr: Buffer.concat(stderr).toString(),
      }),
    );
  });
}
