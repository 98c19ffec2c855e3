import { Readable, Writable } from 'node:stream';
import type { Access, Caller, CommandServices } from '../../../server/commands/command.ts';
import { Output } from '../../../server/commands/output.ts';
import { runCommand } from '../../../server/commands/run-command.ts';
import { MemoryPlatform } from '../memory-platform.ts';

export interface Outcome {
  status: number;
  stdout: string;
  stderr: string;
}

/** Commands without SSH, before a platform in memory with the app blog. */
export class CommandFixture {
  readonly platform = new MemoryPlatform();
  readonly logged: unknown[] = [];
  caller: Caller = { user: 'alice', fingerprint: 'SHA256:alice' };
  services: CommandServices = {
    platform: this.platform,
    doctor: async () => [],
    dashboardUrl: () => 'http://paas.example.com/',
    sshAddress: () => ({ host: 'example.com', port: 2222 }),
    may: () => true,
    log: (_message, cause) => this.logged.push(cause),
  };

  constructor() {
    this.platform.addApp('blog');
    this.platform.changes.length = 0;
  }

  allow(...kinds: Access[]): void {
    this.services = { ...this.services, may: (_caller, access) => kinds.includes(access) };
  }

  async run(line: string, { input = '', signal = new AbortController().signal } = {}): Promise<Outcome> {
    const outcome = { status: 0, stdout: '', stderr: '' };
    const out = new Output({ stdout: collect(outcome, 'stdout'), stderr: collect(outcome, 'stderr') });
    outcome.status = await runCommand(line, {
      caller: this.caller,
      client: {
        stdin: Readable.from(input === '' ? [] : [Buffer.from(input)]),
        out,
        terminal: undefined,
        signal,
        onSignal: () => {},
      },
      services: this.services,
    });
    return outcome;
  }
}

function collect(outcome: Outcome, name: 'stdout' | 'stderr'): Writable {
  return new Writable({
    write(chunk, _encoding, done) {
      outcome[name] += chunk;
      done();
    },
  });
}
