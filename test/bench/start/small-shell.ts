import { execFileSync } from 'node:child_process';
import {
  copyFileSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  rmSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

/**
 * An image of nothing but the shell of klibc (Debian's klibc-utils, which starts every Debian's initramfs) and the empty folders and files
 * that all images have, as a tar archive; undefined: it is not installed. Where a processor's features are asked for by a trap, as on
 * virtual machines, a program of glibc takes most of a millisecond to find them out before it does anything.
 */
export function smallShell(): Buffer | undefined {
  if (!existsSync('/usr/lib/klibc/bin/sh')) return undefined;
  const root = mkdtempSync(join(tmpdir(), 'paas-bench-shell-'));
  try {
    for (const folder of ['bin', 'lib', 'dev', 'proc', 'sys', 'etc', 'mnt', 'tmp'])
      mkdirSync(join(root, folder));
    for (const file of ['hosts', 'hostname', 'resolv.conf']) writeFileSync(join(root, 'etc', file), '');
    const library = readdirSync('/lib').find((name) => /^klibc-.*\.so$/.test(name))!;
    copyFileSync('/usr/lib/klibc/bin/sh', join(root, 'bin', 'sh'));
    copyFileSync(join('/lib', library), join(root, 'lib', library));
    return execFileSync('tar', ['-c', '-C', root, '.'], { maxBuffer: 16 << 20 });
  } finally {
    rmSync(root, { recursive: true });
  }
}
