import { randomInt } from 'node:crypto';
import { createSocket } from 'node:dgram';
import { connect, isIPv6 } from 'node:net';
import { type DnsQuery, isAnswerTo, RCODE, responseCode, withId } from './dns-message.ts';
import { prefixed, readMessages } from './tcp-messages.ts';

export type Transport = 'udp' | 'tcp';

/** How long a server may take before the next is asked. */
const ATTEMPT_MILLISECONDS = 2000;
const ROUNDS = 2;
const MAX_ANSWER = 0xffff;
/** Answers for which another server may know better. */
const UNHELPFUL: number[] = [RCODE.SERVER_FAILURE, RCODE.NOT_IMPLEMENTED, RCODE.REFUSED];

/**
 * Asks servers in turn, and returns the first answer of use, with the query's id; undefined: none answered. Each try has an id
 * and a port of its own, both random, and takes answers from the asked server only (RFC 5452).
 */
export async function forward(
  query: DnsQuery,
  options: { servers: string[]; transport: Transport; port: number },
): Promise<Buffer | undefined> {
  const ask = options.transport === 'udp' ? askByUdp : askByTcp;
  let last: Buffer | undefined;
  for (let round = 0; round < ROUNDS; round++) {
    for (const server of options.servers) {
      const answer = await ask(query, { server, port: options.port });
      if (!answer) continue;
      last = withId(answer, query.id);
      if (!UNHELPFUL.includes(responseCode(answer))) return last;
    }
    if (last) return last;
  }
  return last;
}

interface Target {
  server: string;
  port: number;
}

function askByUdp(query: DnsQuery, { server, port }: Target): Promise<Buffer | undefined> {
  const id = randomInt(0x10000);
  const socket = createSocket(isIPv6(server) ? 'udp6' : 'udp4');
  return new Promise((resolve) => {
    const end = (answer: Buffer | undefined) => {
      clearTimeout(timer);
      socket.close();
      resolve(answer);
    };
    const timer = setTimeout(end, ATTEMPT_MILLISECONDS, undefined);
    socket.once('error', () => end(undefined));
    socket.on('message', (message) => {
      if (isAnswerTo(query, id, message)) end(message);
    });
    // Connected: the kernel lets nothing of others through, and tells when nobody listens there.
    socket.connect(port, server, () => socket.send(withId(query.bytes, id)));
  });
}

function askByTcp(query: DnsQuery, { server, port }: Target): Promise<Buffer | undefined> {
  const id = randomInt(0x10000);
  const socket = connect({ host: server, port });
  return new Promise((resolve) => {
    const end = (answer: Buffer | undefined) => {
      clearTimeout(timer);
      socket.destroy();
      resolve(answer);
    };
    const timer = setTimeout(end, ATTEMPT_MILLISECONDS, undefined);
    socket.once('error', () => end(undefined));
    socket.once('close', () => end(undefined));
    readMessages(socket, MAX_ANSWER, (message) => {
      if (isAnswerTo(query, id, message)) end(message);
    });
    socket.write(prefixed(withId(query.bytes, id)));
  });
}
