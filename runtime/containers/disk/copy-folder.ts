import { runTool } from './tool.ts';

/** Copies a folder with all that overlay needs of it: whiteouts (devices), opaque folders (extended attributes), hard links, owners. */
export function copyFolder(source: string, target: string): Promise<void> {
  const kept = 'mode,ownership,timestamps,links,xattr';
  return runTool('cp', ['--recursive', '--no-dereference', `--preserve=${kept}`, '--', source, target]);
}
