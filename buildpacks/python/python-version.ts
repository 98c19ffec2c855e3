import { BuildpackError } from '../buildpack.ts';
import type { SourceTree } from '../source-tree.ts';

/** The Python of Debian 12; there is no other. */
export const pythonVersion = '3.11';

/**
 * Checks what runtime.txt or .python-version asks for; returns where the version comes from, e.g. `runtime.txt:
 * python-3.11.9`. Any 3.11 is taken for Debian's (its patch releases only mend). Throws `BuildpackError` for another one.
 */
export async function checkPythonVersion(tree: SourceTree): Promise<string> {
  for (const file of ['runtime.txt', '.python-version']) {
    const wanted = firstLine(await tree.read(file));
    if (wanted === undefined) continue;
    const version = wanted.replace(/^python-?/, '').trim();
    if (version === pythonVersion || version.startsWith(`${pythonVersion}.`)) return `${file}: ${wanted}`;
    throw new BuildpackError(
      [
        `${file} asks for ${JSON.stringify(wanted)}; this platform has Python ${pythonVersion} (of Debian 12) only.`,
        `Write "${file === 'runtime.txt' ? 'python-' : ''}${pythonVersion}" into ${file}, or remove it.`,
      ].join('\n'),
    );
  }
  return 'of Debian 12';
}

function firstLine(text: string | undefined): string | undefined {
  return text
    ?.replace(/^\uFEFF/, '')
    .split(/\r?\n/)
    .map((line) => line.trim())
    .find((line) => line !== '' && !line.startsWith('#'));
}
