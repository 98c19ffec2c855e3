import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { readFileSync } from 'node:fs';
import { connect, type Socket } from 'node:net';
import { APP_HOST, ECHO_HOST, LOAD_CORE, type Peer, pinned } from './proxies.ts';

export interface Scenario {
  name: string;
  connections: number;
  path: string;
  /** A connection for each request, or WebSocket messages instead of requests. */
  kind: 'kept' | 'each' | 'echo';
  /** By HTTPS. */
  tls?: true;
}

export interface Sample {
  /** Requests or messages a second. */
  rate: number;
  /** Microseconds of the proxy's CPU time for each: much the same on a busy machine. */
  cpu: number;
  /** Milliseconds that 99 % took at most. */
  p99: number;
}

/** Puts a proxy under load for so many seconds. */
export async function measure(proxy: Peer, scenario: Scenario, seconds: number): Promise<Sample> {
  const before = cpuTime(proxy.pid);
  const { count, p99 } = await (scenario.kind === 'echo' ? echo : wrk)(proxy, scenario, seconds);
  // On a machine so busy that the connections alone took all of the time.
  if (count === 0) return measure(proxy, scenario, seconds * 2);
  return { rate: count / seconds, cpu: (cpuTime(proxy.pid) - before) / count, p99 };
}

/** Opens connections that say nothing, from several addresses of loopback. Returns them. */
export async function openIdle(proxy: Peer, count: number): Promise<Socket[]> {
  const sockets: Socket[] = [];
  for (let i = 0; i < count; i += 1) {
    const localAddress = `127.0.1.${1 + (i % 8)}`;
    const socket = connect({ port: proxy.port, host: '127.0.0.1', localAddress });
    socket.on('error', () => socket.destroy());
    sockets.push(socket);
    if (i % 100 === 99) await once(socket, 'connect');
  }
  return sockets;
}

/** Kilobytes of memory that a process holds, what it shares counted by share. */
export function memory(pid: number): number {
  return Number(/^Pss:\s+(\d+) kB/m.exec(readFileSync(`/proc/${pid}/smaps_rollup`, 'utf8'))![1]);
}

async function wrk(
  proxy: Peer,
  scenario: Scenario,
  seconds: number,
): Promise<{ count: number; p99: number }> {
  const headers = [
    '-H',
    `Host: ${APP_HOST}`,
    ...(scenario.kind === 'each' ? ['-H', 'Connection: close'] : []),
  ];
  const from = scenario.tls ? `https://127.0.0.1:${proxy.tlsPort}` : `http://127.0.0.1:${proxy.port}`;
  const url = from + scenario.path;
  const argv = ['wrk', '-t1', `-c${scenario.connections}`, `-d${seconds}s`, '--latency', ...headers, url];
  const [program, ...args] = pinned(argv, LOAD_CORE);
  const child = spawn(program!, args, { stdio: ['ignore', 'pipe', 'inherit'] });
  let text = '';
  child.stdout.on('data', (piece) => {
    text += piece;
  });
  await once(child, 'close');
  const count = Number(/(\d+) requests in/.exec(text)?.[1] ?? 0);
  if (!/requests in/.test(text) || /Non-2xx/.test(text))
    throw new Error(`${proxy.name}, ${scenario.name}: ${text}`);
  const [, value, unit] = /99%\s+([\d.]+)(us|ms|s)/.exec(text) ?? [];
  return { count, p99: Number(value) * { us: 0.001, ms: 1, s: 1000 }[unit as 'us' | 'ms' | 's'] };
}

/** Each connection sends a message when the last one came back. */
async function echo(
  proxy: Peer,
  scenario: Scenario,
  seconds: number,
): Promise<{ count: number; p99: number }> {
  const times: number[] = [];
  const until = performance.now() + seconds * 1000;
  const client = async () => {
    const socket = connect({ port: proxy.port, host: '127.0.0.1', noDelay: true });
    socket.write(
      `GET / HTTP/1.1\r\nHost: ${ECHO_HOST}\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n${KEY}\r\n`,
    );
    const [head] = await once(socket, 'data');
    if (!String(head).startsWith('HTTP/1.1 101 ')) throw new Error(`${proxy.name}: ${head}`);
    while (performance.now() < until) {
      const sent = performance.now();
      socket.write(MESSAGE);
      await once(socket, 'data');
      times.push(performance.now() - sent);
    }
    socket.destroy();
  };
  await Promise.all(Array.from({ length: scenario.connections }, client));
  times.sort((a, b) => a - b);
  return { count: times.length, p99: times[Math.floor(times.length * 0.99)]! };
}

/** Microseconds, user and system, at 100 ticks a second (proc_pid_stat(5)). */
function cpuTime(pid: number): number {
  const fields = readFileSync(`/proc/${pid}/stat`, 'utf8').split(') ')[1]!.split(' ');
  return (Number(fields[11]) + Number(fields[12])) * 10_000;
}

const KEY = 'Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n';
/** A masked text frame of 32 bytes (RFC 6455). */
const MESSAGE = Buffer.concat([Buffer.from([0x81, 0xa0, 0, 0, 0, 0]), Buffer.alloc(32, 'a')]);
