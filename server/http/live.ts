import { createHash } from 'node:crypto';
import { setTimeout } from 'node:timers/promises';
import type { Exchange } from './exchange.ts';

const EVERY = 500;

/**
 * Streams a piece of a page each time that it would look different, together with notices for this session. `data`
 * is asked twice a second; only a change renders. htmx morphs the piece into the element that listens.
 */
export async function streamLive(
  exchange: Exchange,
  { template, data }: { template: string; data: () => object },
): Promise<void> {
  const first = data();
  const stream = exchange.parts.streams.open(exchange.session.id, exchange);
  let shown = stream.lastEventId;
  for (let next = first; !stream.signal.aborted; next = data()) {
    const id = fingerprint(next);
    const notices = exchange.parts.notices.takeLate(exchange.session.id);
    if (id !== shown || notices.length > 0) {
      await stream.send({ id, data: await exchange.render(template, { ...next, liveNotices: notices }) });
      shown = id;
    }
    await setTimeout(EVERY, undefined, { signal: stream.signal }).catch(() => undefined);
    if (stream.signal.aborted) return;
  }
}

function fingerprint(data: object): string {
  return createHash('sha256').update(JSON.stringify(data)).digest('base64url').slice(0, 16);
}
