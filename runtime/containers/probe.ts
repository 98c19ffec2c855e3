import { closeSync } from 'node:fs';
import { Socket } from 'node:net';
import type { Container } from './container.ts';
import type { Descriptors } from './descriptors.ts';
import { execSpec } from './exec-spec.ts';
import type { HealthCheck, Probe } from './health.ts';
import type { ExecProcess, Kernel } from './kernel.ts';
import type { Launcher } from './launcher.ts';

const MAX_OUTPUT = 4096;
/** What the probe left in the background may hold its output open. */
const OUTPUT_END_MILLISECONDS = 100;

export interface ProbeOptions {
  kernel: Kernel;
  launcher: Launcher;
  descriptors: Pick<Descriptors, 'openPipe'>;
}

/** Runs a health check once, to its end or its timeout: then it is killed with all that it started. */
export async function runProbe(
  container: Container,
  check: HealthCheck,
  options: ProbeOptions,
): Promise<Probe> {
  const start = new Date().toISOString();
  const ended = (exitCode: number, output: string): Probe => ({
    ...{ start, end: new Date().toISOString() },
    ...{ exitCode, output },
  });
  try {
    const { process, output } = await startProbe(container, check, options);
    const code = await exitWithin(process, check.timeout);
    if (code === undefined) return ended(-1, `Health check exceeded timeout (${check.timeout} ms)`);
    return ended(code, await output());
  } catch (error) {
    return ended(-1, (error as Error).message);
  }
}

async function startProbe(container: Container, check: HealthCheck, options: ProbeOptions) {
  const { kernel, launcher, descriptors } = options;
  const { config } = container;
  const pipe = descriptors.openPipe();
  const spec = execSpec(config, launcher.userOf(config, config.process.User), {
    args: check.args,
    stdio: { stdin: undefined, stdout: pipe.write, stderr: pipe.write },
  });
  try {
    const process = await kernel.exec(container.id, spec);
    return { process, output: readBegin(pipe.read) };
  } catch (error) {
    closeSync(pipe.read);
    throw error;
  } finally {
    closeSync(pipe.write);
  }
}

/** Its exit code; undefined: it took too long, and is gone now. */
async function exitWithin(process: ExecProcess, milliseconds: number): Promise<number | undefined> {
  let isLate = false;
  const timer = setTimeout(() => {
    isLate = true;
    process.kill();
  }, milliseconds);
  const code = await process.exited;
  clearTimeout(timer);
  return isLate ? undefined : code;
}

/** Reads to the end, and keeps the begin. */
function readBegin(fd: number): () => Promise<string> {
  const socket = new Socket({ fd, readable: true, writable: false });
  let text = '';
  const ended = new Promise<void>((resolve) => socket.once('close', () => resolve()));
  socket.on('error', () => {});
  socket.on('data', (chunk: Buffer) => {
    if (text.length < MAX_OUTPUT) text = (text + chunk.toString('utf8')).slice(0, MAX_OUTPUT);
  });
  return async () => {
    const timer = setTimeout(() => socket.destroy(), OUTPUT_END_MILLISECONDS);
    await ended;
    clearTimeout(timer);
    return text;
  };
}
