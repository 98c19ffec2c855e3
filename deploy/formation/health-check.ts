import { connect } from 'node:net';

/** Resolves true when something accepts connections there, false when `signal` aborts first. */
export async function waitUntilListening(
  where: { address: string; port: number },
  signal: AbortSignal,
): Promise<boolean> {
  const began = Date.now();
  // Often at first, when every millisecond is the pusher's; a slow app is not worth the wake-ups.
  for (let pause = 2; !signal.aborted; pause = Math.min(pause * 1.3, Date.now() - began < 3000 ? 8 : 100)) {
    if (await accepts(where, signal)) return true;
    await new Promise<void>((resolve) => {
      setTimeout(resolve, pause);
    });
  }
  return false;
}

/** Whether a TCP port accepts connections now; false also where nothing is heard of it within a second. */
export function accepts(where: { address: string; port: number }, signal: AbortSignal): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = connect({ host: where.address, port: where.port, timeout: 1000 });
    const finish = (answer: boolean) => {
      signal.removeEventListener('abort', stop);
      socket.destroy();
      resolve(answer);
    };
    const stop = () => finish(false);
    signal.addEventListener('abort', stop, { once: true });
    socket.on('connect', () => finish(true));
    socket.on('timeout', stop);
    socket.on('error', stop);
  });
}
