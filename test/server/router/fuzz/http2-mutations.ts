import { END_HEADERS, END_STREAM, FRAME, type Frame, frame, literals } from '../http2-fixture.ts';

type Fields = [string, string][];

/** One request of a stream, in its parts. */
interface Parts {
  fields: Fields;
  body: string | undefined;
  trailers: Fields | undefined;
}

interface Dice {
  random: () => number;
  pick: <T>(list: readonly T[]) => T;
}

/** The bytes of one request for `/ID` on a stream, most of them malformed; some hold one for `/ID-hidden`. `isProper`: nothing is wrong with it. */
export function makeHttp2Case(options: { id: string; stream: number; random: () => number }): {
  frames: Buffer;
  isProper: boolean;
} {
  const { id, stream, random } = options;
  const pick = <T>(list: readonly T[]): T => list[Math.floor(random() * list.length)]!;
  const dice = { random, pick };
  const hidden = `GET /${id}-hidden HTTP/1.1\r\nHost: app.localhost\r\n\r\n`;
  const parts = pick(SEEDS)(`/${id}`, hidden);
  const [ofFields, ofFrames] = [Math.floor(random() * 3), Math.floor(random() * 3)];
  for (let i = 0; i < ofFields && parts.fields.length > 0; i++)
    pick(FIELD_MUTATIONS)(parts, { ...dice, hidden, path: `/${id}` });
  let frames = framesOf(parts, stream);
  for (let i = 0; i < ofFrames && frames.length > 0; i++) frames = pick(FRAME_MUTATIONS)(frames, dice);
  let bytes: Buffer = Buffer.concat(frames.map((one) => frame(one.type, one)));
  const isBroken = bytes.length > 0 && random() < 0.1;
  if (isBroken) bytes = broken(bytes, dice);
  return { frames: bytes, isProper: ofFields + ofFrames === 0 && !isBroken };
}

const request = (method: string, path: string, more: Fields = []): Fields => [
  [':method', method],
  [':scheme', 'https'],
  [':authority', 'app.localhost'],
  [':path', path],
  ...more,
];

const SEEDS: ((path: string, hidden: string) => Parts)[] = [
  (path) => ({ fields: request('GET', path, [['accept', '*/*']]), body: undefined, trailers: undefined }),
  (path, hidden) => ({ fields: request('POST', path), body: hidden, trailers: undefined }),
  (path, hidden) => ({
    fields: request('POST', path),
    body: `0\r\n\r\n${hidden}`,
    trailers: [['x-sum', '1']],
  }),
  (path, hidden) => ({
    fields: request('PUT', path, [['content-length', String(hidden.length)]]),
    body: hidden,
    trailers: undefined,
  }),
  (path) => ({
    fields: request('DELETE', path, [
      ['cookie', 'a=1'],
      ['cookie', 'b=2'],
    ]),
    body: undefined,
    trailers: undefined,
  }),
];

type FieldDice = Dice & { hidden: string; path: string };

const FIELD_MUTATIONS: ((parts: Parts, dice: FieldDice) => void)[] = [
  // What ends a line, a head or a body in HTTP/1.1, in a value, a name or a pseudo-field.
  ({ fields }, dice) => fields.push(['x-a', `b\r\n\r\n${dice.hidden}`]),
  ({ fields }, dice) => fields.push([`x-a: b\r\n\r\n${dice.hidden}x`, 'c']),
  (parts, dice) =>
    replace(parts, ':path', `${dice.path} HTTP/1.1\r\nHost: app.localhost\r\n\r\n${dice.hidden}`),
  (parts, dice) => replace(parts, ':path', `${dice.path} HTTP/1.1`),
  (parts, dice) =>
    replace(parts, ':method', `GET ${dice.path} HTTP/1.1\r\nHost: a\r\n\r\n${dice.hidden}POST`),
  (parts, dice) => replace(parts, ':authority', `app.localhost\r\nContent-Length: 9\r\n\r\n${dice.hidden}`),
  (parts, dice) => replace(parts, ':scheme', `https\r\n\r\n${dice.hidden}`),
  (parts, dice) => {
    parts.trailers = [['x-sum', `1\r\n\r\n${dice.hidden}`]];
  },
  // Lengths, and other fields of connections.
  ({ fields }, { pick }) =>
    fields.push(['content-length', pick(['0', '1', '5', '+5', '5, 5', '', '-1', '99999999999999999999'])]),
  ({ fields }, { pick }) => fields.push(pick(OF_CONNECTIONS)),
  (parts, { pick }) => {
    parts.trailers = [
      pick<[string, string]>([...OF_CONNECTIONS, [':path', '/x'], ['content-length', '5'], ['host', 'b']]),
    ];
  },
  // Pseudo-fields.
  ({ fields }, { pick }) => fields.push(pick(fields)),
  ({ fields }, { pick }) =>
    fields.unshift(
      pick<[string, string]>([
        ['x', 'y'],
        [':protocol', 'websocket'],
        [':status', '200'],
      ]),
    ),
  ({ fields }, { random }) => void fields.splice(Math.floor(random() * fields.length), 1),
  ({ fields }, { random, pick }) => {
    const field = pick(fields);
    const at = Math.floor(random() * (field[1].length + 1));
    field[1] = field[1].slice(0, at) + pick(BYTES) + field[1].slice(at);
  },
  ({ fields }, { pick }) => {
    const field = pick(fields);
    field[0] = pick([
      field[0].toUpperCase(),
      `${field[0]} `,
      ` ${field[0]}`,
      `${field[0]}:`,
      '',
      field[0].replace('-', '_'),
    ]);
  },
  (parts, { pick }) =>
    replace(parts, ':method', pick(['CONNECT', 'HEAD', 'OPTIONS', 'TRACE', 'get', '', 'PRI'])),
  (parts, { pick }) =>
    replace(parts, ':path', pick(['*', '', 'http://app.localhost/x', '//', '/#a', '/\xff', '/ ', '/\t'])),
];

const OF_CONNECTIONS: Fields = [
  ['transfer-encoding', 'chunked'],
  ['transfer_encoding', 'chunked'],
  ['connection', 'content-length'],
  ['upgrade', 'h2c'],
  ['te', 'gzip'],
  ['te', 'trailers'],
  ['expect', '100-continue'],
  ['host', 'other'],
  ['host', 'app.localhost'],
];

const BYTES = ['\r', '\n', '\0', '\t', ' ', ':', '\x7f', '\xff', ',', '#', '/', '\x0b'];

function replace({ fields }: Parts, name: string, value: string): void {
  for (const field of fields) if (field[0] === name) field[1] = value;
}

function framesOf({ fields, body, trailers }: Parts, stream: number): Frame[] {
  const end = (is: boolean) => (is ? END_STREAM : 0);
  const frames: Frame[] = [
    {
      type: FRAME.headers,
      flags: END_HEADERS | end(body === undefined && !trailers),
      stream,
      payload: literals(fields),
    },
  ];
  if (body !== undefined)
    frames.push({ type: FRAME.data, flags: end(!trailers), stream, payload: Buffer.from(body, 'latin1') });
  if (trailers)
    frames.push({
      type: FRAME.headers,
      flags: END_HEADERS | END_STREAM,
      stream,
      payload: literals(trailers),
    });
  return frames;
}

const FRAME_MUTATIONS: ((frames: Frame[], dice: Dice) => Frame[])[] = [
  (frames, { pick }) => changed(frames, pick(frames), { flags: pick([0, 1, 4, 5, 8, 12, 32, 36, 255]) }),
  (frames, { pick }) => changed(frames, pick(frames), { type: pick([0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 66]) }),
  (frames, { pick }) => {
    const frame = pick(frames);
    return changed(frames, frame, { stream: pick([0, 1, 2, frame.stream + 2, 0x7fffffff]) });
  },
  (frames, { pick, random }) => {
    const frame = pick(frames);
    return changed(frames, frame, {
      payload: frame.payload.subarray(0, Math.floor(random() * frame.payload.length)),
    });
  },
  (frames, { pick }) => frames.flatMap((frame) => (random2(pick) ? [frame, frame] : [frame])),
  (frames, { pick }) => frames.filter(() => !random2(pick)),
  // A block of fields, or a body, in several frames.
  (frames, { random }) => frames.flatMap((frame) => split(frame, random)),
  (frames, { pick }) => [
    ...frames.slice(0, 1),
    pick([
      {
        type: FRAME.reset,
        flags: 0,
        stream: frames[0]!.stream,
        payload: Buffer.from([0, 0, 0, pick([0, 1, 8])]),
      },
      { type: FRAME.window, flags: 0, stream: frames[0]!.stream, payload: Buffer.alloc(4) },
      { type: FRAME.window, flags: 0, stream: 0, payload: Buffer.from([0x7f, 0xff, 0xff, 0xff]) },
      { type: FRAME.settings, flags: 0, stream: 0, payload: Buffer.from([0, 4, 0xff, 0xff, 0xff, 0xff]) },
      { type: FRAME.settings, flags: 0, stream: 0, payload: Buffer.from([0, 1, 0, 0, 0, 0]) },
      { type: FRAME.ping, flags: 0, stream: 0, payload: Buffer.alloc(8) },
      { type: FRAME.goaway, flags: 0, stream: 0, payload: Buffer.alloc(8) },
      { type: FRAME.priority, flags: 0, stream: frames[0]!.stream, payload: Buffer.from([0, 0, 0, 1, 0]) },
      { type: FRAME.data, flags: END_STREAM, stream: frames[0]!.stream, payload: Buffer.from('0\r\n\r\n') },
    ]),
    ...frames.slice(1),
  ],
];

function random2(pick: Dice['pick']): boolean {
  return pick([true, false]);
}

function changed(frames: Frame[], which: Frame | undefined, to: Partial<Frame>): Frame[] {
  return frames.map((frame) => (frame === which ? { ...frame, ...to } : frame));
}

function split(frame: Frame, random: () => number): Frame[] {
  const at = Math.floor(random() * frame.payload.length);
  const [head, tail] = [frame.payload.subarray(0, at), frame.payload.subarray(at)];
  if (frame.type === FRAME.headers)
    return [
      { ...frame, flags: frame.flags & ~END_HEADERS, payload: head },
      { ...frame, type: FRAME.continuation, flags: frame.flags & END_HEADERS, payload: tail },
    ];
  if (frame.type !== FRAME.data) return [frame];
  return [
    { ...frame, flags: 0, payload: head },
    { ...frame, payload: tail },
  ];
}

/** One byte is another one, too many, or missing. */
function broken(bytes: Buffer, { random, pick }: Dice): Buffer {
  const at = Math.floor(random() * bytes.length);
  const put = pick([[], [Math.floor(random() * 256)], [0, 0]]);
  return Buffer.concat([bytes.subarray(0, at), Buffer.from(put), bytes.subarray(at + pick([0, 1]))]);
}
