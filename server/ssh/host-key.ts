import { closeSync, fsyncSync, mkdirSync, openSync, readFileSync, renameSync, writeSync } from 'node:fs';
import { dirname } from 'node:path';
import { makeKeyPair } from './key-pair.ts';

/** The server's private ed25519 key in OpenSSH's format, made once: clients remember its public half. */
export function ensureHostKey(file: string): string {
  try {
    return readFileSync(file, 'utf8');
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'ENOENT') throw error;
  }
  const key = makeKeyPair('paas').private;
  mkdirSync(dirname(file), { recursive: true, mode: 0o700 });
  writeWhole(file, key);
  return key;
}

/** All of it or nothing, also after a power cut. */
function writeWhole(file: string, text: string): void {
  const temporary = `${file}.${process.pid}.new`;
  const fd = openSync(temporary, 'wx', 0o600);
  try {
    writeSync(fd, text);
    fsyncSync(fd);
  } finally {
    closeSync(fd);
  }
  renameSync(temporary, file);
  const folder = openSync(dirname(file), 'r');
  try {
    fsyncSync(folder);
  } finally {
    closeSync(folder);
  }
}
