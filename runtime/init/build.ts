import { execFile } from 'node:child_process';
import { createHash, randomBytes } from 'node:crypto';
import { mkdir, open, readFile, rename } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { syncFolder } from '../durable-file.ts';

const SOURCE = fileURLToPath(new URL('init.c', import.meta.url));

const ELF_MAGIC = '\x7fELF';

/** Static and without libc; 16-byte alignment is not needed, small size is: every container shares its pages. */
const FLAGS = [
  '-std=gnu11',
  '-Os',
  '-Wall',
  '-Wextra',
  '-Werror',
  '-static',
  '-nostdlib',
  '-ffreestanding',
  '-fno-pic',
  '-no-pie',
  '-fno-stack-protector',
  '-fno-asynchronous-unwind-tables',
  '-fcf-protection=none',
  '-Wl,--build-id=none',
  '-Wl,-z,noexecstack',
  '-Wl,-z,norelro',
  '-s',
];

/**
 * The path of the compiled init in `folder`, named by its source's hash; compiles it with `cc` if it is not there.
 * Throws when there is no C compiler, or on a machine other than x86-64.
 */
export async function ensureInit(folder: string): Promise<string> {
  if (process.arch !== 'x64')
    throw new Error(`Containers run on x86-64 only for now, not on ${process.arch}.`);
  const source = await readFile(SOURCE);
  const hash = createHash('sha256').update(FLAGS.join(' ')).update(source).digest('hex').slice(0, 16);
  const program = join(folder, `init-${hash}`);
  if (!(await isProgram(program))) await compile(program);
  return program;
}

/** An earlier version of us did not sync it: a power cut then left it empty. */
async function isProgram(file: string): Promise<boolean> {
  const content = await readFile(file, 'latin1').catch(() => '');
  return content.startsWith(ELF_MAGIC);
}

async function compile(program: string): Promise<void> {
  await mkdir(dirname(program), { recursive: true });
  const temporary = `${program}.${randomBytes(4).toString('hex')}`;
  try {
    await promisify(execFile)('cc', [...FLAGS, '-o', temporary, SOURCE]);
  } catch (error) {
    const reason =
      (error as NodeJS.ErrnoException).code === 'ENOENT' ? 'there is no `cc`; install gcc' : error;
    throw new Error(`Could not compile the containers' init: ${reason}.`, { cause: error });
  }
  await syncFile(temporary);
  await rename(temporary, program);
  syncFolder(dirname(program));
}

async function syncFile(path: string): Promise<void> {
  const file = await open(path);
  try {
    await file.sync();
  } finally {
    await file.close();
  }
}
