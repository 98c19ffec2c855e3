import { METHODS } from 'node:http';
import { connect } from 'node:net';
import { makeCase, randomOf } from './mutations.ts';
import type { RecordingBackend, SeenRequest } from './recording-backend.ts';
import { type ReadRequest, readRequests } from './strict-reference.ts';

/** A way to the app: through the router, through another proxy, or through none. */
export interface Way {
  backend: RecordingBackend;
  port: number;
}

export interface Finding {
  what: 'passed on though it should not' | 'refused though it is well-formed';
  sent: string;
  expected: ReadRequest[];
  seen: SeenRequest[];
}

export interface Tally {
  findings: Finding[];
  cases: number;
  /** Requests that reached the app whole. */
  passed: number;
  /** Beside the other proxy. */
  same: number;
  stricter: number;
  laxer: number;
  different: string[];
}

/**
 * Sends `cases` mutated streams of requests through `way`, and what came out at the app is compared with the strict reference; and with
 * what comes out behind `other`, if there is one.
 */
export async function fuzz(options: {
  cases: number;
  seed: number;
  way: Way;
  other?: Way | undefined;
}): Promise<Tally> {
  const { cases, way, other } = options;
  const random = randomOf(options.seed);
  const tally: Tally = { findings: [], cases: 0, passed: 0, same: 0, stricter: 0, laxer: 0, different: [] };
  const strays = new Map<string, number>();
  const worker = async () => {
    while (tally.cases < cases) {
      tally.cases += 1;
      const id = `c${hex(random)}${hex(random)}c`;
      const sent = makeCase(id, random);
      const reading = readRequests(sent);
      // Others have no route, or the app itself does not know them.
      const expected = reading.requests.filter(
        ({ host, method }) => host === 'app.localhost' && METHODS.includes(method),
      );
      for (const request of expected) if (!request.target.includes(id)) count(strays, request, 1);
      const cut = Math.floor(random() * sent.length);
      const seen = await sendThrough(way, { id, sent, cut });
      judge({ id, sent, expected, seen, tally });
      if (other) compare(seen, await sendThrough(other, { id, sent, cut }), { sent, tally });
    }
  };
  await Promise.all(Array.from({ length: 24 }, worker));
  for (const stray of way.backend.strays) {
    if (!stray.complete || count(strays, stray, -1) >= 0) continue;
    tally.findings.push({
      what: 'passed on though it should not',
      sent: '(a stray)',
      expected: [],
      seen: [stray],
    });
  }
  return tally;
}

/** The bytes of every connection to the app that are no sequence of whole, well-formed requests. */
export function malformedStreams(backend: RecordingBackend): string[] {
  return backend.streams.map(({ text }) => text).filter((text) => readRequests(text).rest === 'malformed');
}

async function sendThrough(
  { backend, port }: Way,
  { id, sent, cut }: { id: string; sent: string; cut: number },
): Promise<SeenRequest[]> {
  backend.expect(id);
  await new Promise<void>((resolve) => {
    const socket = connect({ port, host: '127.0.0.1', allowHalfOpen: true, noDelay: true });
    socket.on('error', () => {});
    socket.on('data', () => {});
    socket.on('end', () => socket.end());
    socket.on('close', () => resolve());
    socket.setTimeout(20_000, () => socket.destroy());
    socket.write(sent.slice(0, cut), 'latin1');
    setImmediate(() => socket.end(sent.slice(cut), 'latin1'));
  });
  return backend.take(id);
}

function judge(run: {
  id: string;
  sent: string;
  expected: ReadRequest[];
  seen: SeenRequest[];
  tally: Tally;
}): void {
  const expected = run.expected.filter(({ target }) => target.includes(run.id));
  const whole = run.seen.filter(({ complete }) => complete);
  run.tally.passed += whole.length;
  const isPrefix = whole.every((request, i) => expected[i] && keyOf(expected[i]) === keyOf(request));
  const isCutShort =
    run.seen.length - whole.length <= 1 && run.seen.slice(0, whole.length).every(({ complete }) => complete);
  const { sent, seen, tally } = run;
  if (!isPrefix || !isCutShort) {
    tally.findings.push({ what: 'passed on though it should not', sent, expected, seen });
  } else if (whole.length < expected.length) {
    tally.findings.push({ what: 'refused though it is well-formed', sent, expected, seen });
  }
}

function compare(
  ours: SeenRequest[],
  theirs: SeenRequest[],
  { sent, tally }: { sent: string; tally: Tally },
): void {
  const [a, b] = [ours, theirs].map((seen) => seen.filter(({ complete }) => complete).map(keyOf));
  const common = a!.slice(0, b!.length).every((key, i) => key === b![i]);
  if (!common) tally.different.push(sent);
  else if (a!.length === b!.length) tally.same += 1;
  else if (a!.length < b!.length) tally.stricter += 1;
  else tally.laxer += 1;
}

function keyOf({ method, target, body }: { method: string; target: string; body: string }): string {
  return JSON.stringify([method, target, body]);
}

/** Adds to the count of a request, and returns what it is then. */
function count(counts: Map<string, number>, request: ReadRequest | SeenRequest, by: number): number {
  const key = keyOf(request);
  const next = (counts.get(key) ?? 0) + by;
  counts.set(key, next);
  return next;
}

function hex(random: () => number): string {
  return Math.floor(random() * 0x1000000)
    .toString(16)
    .padStart(6, '0');
}
