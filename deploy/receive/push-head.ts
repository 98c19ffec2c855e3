import type { Readable } from 'node:stream';
import type { RefChange } from './pushed-refs.ts';

/** A push of more commands than fit into this is git's to refuse. */
const MAX_BYTES = 1024 ** 2;
const FLUSH = '0000';

/**
 * What a git client sends before its pack: which refs it wants changed (gitprotocol-pack(5), "Reference Update Request").
 *
 *   client                                   us                        git receive-pack
 *     │ ◄──────────────────────────────────────────────── refs as they are ── │
 *     │ ── 00a1<old> <new> <ref>\0<capabilities> ► │                          │
 *     │ ── 0067<old> <new> <ref> ────────────────► │ read, held back until    │
 *     │ ── 0000 (flush) ─────────────────────────► │ it is this push's turn   │
 *     │ ── pack ─────────────────────────────────► │ ───────────────────────► │
 */
export interface PushHead {
  refs: RefChange[];
  /** All that was read, which may be more than the commands. */
  bytes: Buffer;
}

/** Reads up to the flush packet, or the stream's end; what is no list of commands has no refs, and is git's to refuse. */
export function readPushHead(stdin: Readable): Promise<PushHead> {
  return new Promise((resolve) => {
    let bytes: Buffer = Buffer.alloc(0);
    const finish = () => {
      stdin.off('data', onData).off('end', finish).off('close', finish).off('error', finish);
      stdin.pause();
      resolve({ refs: parseCommands(bytes).refs, bytes });
    };
    const onData = (chunk: Buffer) => {
      bytes = Buffer.concat([bytes, chunk]);
      if (parseCommands(bytes).isWhole || bytes.length > MAX_BYTES) finish();
    };
    stdin.on('data', onData).on('end', finish).on('close', finish).on('error', finish);
  });
}

/** The same commands, with what the refs are now in place of what the client was told; `moved`: those that differ. */
export function withPresentRefs(
  head: PushHead,
  present: ReadonlyMap<string, string>,
): { bytes: Buffer; moved: RefChange[] } {
  const bytes = Buffer.from(head.bytes);
  const moved: RefChange[] = [];
  for (const change of head.refs) {
    const now = present.get(change.ref);
    if (now === undefined || now === change.old || isNone(change.new)) continue;
    const at = bytes.indexOf(`${change.old} ${change.new} ${change.ref}`);
    bytes.write(now, at, 'latin1');
    moved.push({ ...change, old: now });
  }
  return { bytes, moved };
}

function parseCommands(bytes: Buffer): { refs: RefChange[]; isWhole: boolean } {
  const refs: RefChange[] = [];
  for (let at = 0; at + 4 <= bytes.length; ) {
    const word = bytes.toString('latin1', at, at + 4);
    if (word === FLUSH) return { refs, isWhole: true };
    const length = /^[0-9a-f]{4}$/i.test(word) ? Number.parseInt(word, 16) : 0;
    if (length < 5) return { refs: [], isWhole: true };
    if (at + length > bytes.length) break;
    const line = bytes.toString('utf8', at + 4, at + length);
    const match = /^([0-9a-f]{40}) ([0-9a-f]{40}) ([^\0\n]+)/.exec(line);
    if (match) refs.push({ old: match[1]!, new: match[2]!, ref: match[3]! });
    at += length;
  }
  return { refs: [], isWhole: false };
}

function isNone(id: string): boolean {
  return /^0+$/.test(id);
}
