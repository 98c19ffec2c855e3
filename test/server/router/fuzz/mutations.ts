/** A generator of numbers in [0, 1) that gives the same ones for the same seed (mulberry32). */
export function randomOf(seed: number): () => number {
  let state = seed >>> 0;
  return () => {
    state = (state + 0x6d2b79f5) >>> 0;
    let mixed = Math.imul(state ^ (state >>> 15), state | 1);
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
  };
}

/** Bytes for one connection, most of them malformed: requests for `/ID…`, with one for `/ID-hidden` in a body. */
export function makeCase(id: string, random: () => number): string {
  const pick = <T>(list: readonly T[]): T => list[Math.floor(random() * list.length)]!;
  let text = Array.from({ length: 1 + Math.floor(random() * 2) }, (_, i) => pick(SEEDS)(`/${id}-${i}`)).join(
    '',
  );
  const rounds = Math.floor(random() * 4);
  for (let i = 0; i < rounds; i++) text = pick(MUTATIONS)(text, { random, pick });
  return text;
}

const hidden = (path: string) => `GET ${path}-hidden HTTP/1.1\r\nHost: app.localhost\r\n\r\n`;
const withLength = (path: string, body: string) =>
  `POST ${path} HTTP/1.1\r\nHost: app.localhost\r\nContent-Length: ${body.length}\r\n\r\n${body}`;
const chunk = (data: string) => `${data.length.toString(16)}\r\n${data}\r\n`;

const SEEDS: ((path: string) => string)[] = [
  (path) => `GET ${path} HTTP/1.1\r\nHost: app.localhost\r\nAccept: */*\r\n\r\n`,
  (path) => `GET http://app.localhost${path} HTTP/1.1\r\nHost: app.localhost\r\n\r\n`,
  (path) => `GET ${path} HTTP/1.0\r\nHost: app.localhost\r\nConnection: keep-alive\r\n\r\n`,
  (path) => `DELETE ${path} HTTP/1.1\r\nHost: app.localhost:80\r\nConnection: X-A\r\nX-A: b\r\n\r\n`,
  (path) => withLength(path, hidden(path)),
  (path) => withLength(path, `0\r\n\r\n${hidden(path)}`),
  (path) =>
    `POST ${path} HTTP/1.1\r\nHost: app.localhost\r\nTransfer-Encoding: chunked\r\n\r\n${chunk(hidden(path))}0\r\n\r\n`,
  (path) =>
    `PUT ${path} HTTP/1.1\r\nTransfer-Encoding: chunked\r\nHost: app.localhost\r\n\r\n${chunk('ab')}${chunk(hidden(path))}0\r\nX-Sum: 1\r\n\r\n`,
  (path) =>
    `POST ${path} HTTP/1.1\r\nHost: app.localhost\r\nContent-Length: 3\r\nExpect: 100-continue\r\n\r\nabc`,
];

interface Dice {
  random: () => number;
  pick: <T>(list: readonly T[]) => T;
}

const BYTES = [
  '\r',
  '\n',
  '\r\n',
  '\0',
  '\t',
  ' ',
  ';',
  ':',
  ',',
  '\x0b',
  '\x0c',
  '\x7f',
  '\x80',
  '\xff',
  '-',
  '+',
  '0',
  'x',
  '#',
  '"',
  '\\',
  '/',
];
const FIELDS = [
  ...[
    'Content-Length: 0',
    'Content-Length: 5',
    'Content-Length: +5',
    'Content-Length: 5, 5',
    'Content-Length: 0x5',
  ],
  ...[
    'Content-Length: 05',
    'Content-Length: 18446744073709551616',
    'Content-Length: -1',
    'Content-Length:',
    'Content-Length : 5',
  ],
  ...[
    'Content_Length: 5',
    ' Content-Length: 5',
    'Content-Length\t: 5',
    'content-length: 5 5',
    'Content-Length: 5\x0b',
  ],
  ...[
    'Transfer-Encoding: chunked',
    'Transfer-Encoding : chunked',
    'Transfer-Encoding: xchunked',
    'transfer-encoding: CHUNKED',
  ],
  ...[
    'Transfer-Encoding: chunked, identity',
    'Transfer-Encoding: identity',
    'Transfer-Encoding:\x0bchunked',
    'Transfer_Encoding: chunked',
  ],
  ...[
    'Transfer-Encoding: gzip, chunked',
    'Transfer-Encoding:',
    'Transfer-Encoding: "chunked"',
    'Transfer-Encoding:\r\n chunked',
  ],
  ...[
    'X: y\r\n folded',
    'Host: app.localhost',
    'Host: other',
    'Host:',
    'host: app.localhost.',
    'Connection: close',
    'Connection: content-length',
  ],
  ...[
    'Connection: Transfer-Encoding',
    'Connection: host',
    'X: \xe4',
    'X: a\rb',
    'X: a\nb',
    'X: a\0b',
    'Upgrade: h2c\r\nConnection: upgrade',
    'Expect: x',
  ],
];

const MUTATIONS: ((text: string, dice: Dice) => string)[] = [
  (text, { random, pick }) => splice(text, at(text, random), 0, pick(BYTES)),
  (text, { random, pick }) => splice(text, at(text, random), 1, pick(BYTES)),
  (text, { random }) => splice(text, at(text, random), 1, ''),
  (text, { random, pick }) => insertLine(text, random, pick(FIELDS)),
  (text, { random, pick }) => insertLine(text, random, pick(FIELDS)),
  (text, { random }) => replaceOne(text, random, /\r\n/g, '\n'),
  (text, { random }) => replaceOne(text, random, /\r\n/g, '\r'),
  (text, { random }) => replaceOne(text, random, /: /g, ' : '),
  (text, { random, pick }) =>
    replaceOne(
      text,
      random,
      /HTTP\/1\.[01]/g,
      pick(['HTTP/1.0', 'HTTP/0.9', 'HTTP/1.2', 'HTTP/2.0', 'http/1.1', '']),
    ),
  (text, { random, pick }) =>
    replaceOne(
      text,
      random,
      /^[0-9a-f]+(?=\r\n)/gm,
      pick(['5;x', '5 ', '0x5', '+5', '-1', 'ffffffffffffffff', '00000000000000000005', '5;a="\n"', '', '0']),
    ),
  (text, { random, pick }) => replaceOne(text, random, /Content-Length: \d+/g, pick(FIELDS)),
  (text, { random, pick }) => replaceOne(text, random, /Transfer-Encoding: chunked/g, pick(FIELDS)),
  (text, { random }) => text.slice(0, at(text, random)),
  (text, { random }) => text + text.slice(at(text, random)),
];

function at(text: string, random: () => number): number {
  return Math.floor(random() * text.length);
}

function splice(text: string, start: number, length: number, put: string): string {
  return text.slice(0, start) + put + text.slice(start + length);
}

function insertLine(text: string, random: () => number, line: string): string {
  return replaceOne(text, random, /\r\n/g, `\r\n${line}\r\n`);
}

function replaceOne(text: string, random: () => number, pattern: RegExp, put: string): string {
  const places = [...text.matchAll(pattern)];
  const place = places[Math.floor(random() * places.length)];
  return place ? splice(text, place.index, place[0].length, put) : text;
}
