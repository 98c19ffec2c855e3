import type { Container } from './container.ts';

/** How long what a terminal still holds may take to arrive after its last process ended. */
const TERMINAL_END_MILLISECONDS = 200;

/** Takes what a container that has ended wrote at last, for its log and the clients that are attached. */
export async function takeLastOutput(container: Container): Promise<void> {
  await terminalEnd(container);
  await container.output.finish();
}

async function terminalEnd({ terminal }: Container): Promise<void> {
  if (!terminal || terminal.closed) return;
  await new Promise<void>((resolve) => {
    const timer = setTimeout(resolve, TERMINAL_END_MILLISECONDS);
    terminal.once('close', () => {
      clearTimeout(timer);
      resolve();
    });
  });
}
