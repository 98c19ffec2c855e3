import koffi from 'koffi';

/**
 * Calls back once when the descriptor is readable (a pidfd: when its process has ended), through the event loop's own
 * epoll set. Returns a function that gives up; call it, or be called back, before the descriptor is closed.
 * `keepAlive`: this process does not end by itself while it waits.
 */
export function onceReadable(
  descriptor: number,
  callback: () => void,
  { keepAlive = false } = {},
): () => void {
  const handle = koffi.node.poll(descriptor, { readable: true, disconnect: true }, () => {
    handle.close();
    // From here alone promises would not go on: koffi calls us outside of Node's own callback handling.
    setImmediate(callback);
  });
  if (!keepAlive) handle.unref();
  return () => handle.close();
}
