import type { Operation } from '../../init/operation-list.ts';
import { BASE } from './base-namespace.ts';

/** A call of mount(2); in messages the target is called as the container sees it. */
export function mount(
  source: string,
  target: string,
  type: string | null,
  { flags, options = null }: { flags: number; options?: string | null },
): Operation {
  return {
    call: 'mount',
    args: [source, target, type, flags, options],
    purpose: `mount "${seenInside(target)}"`,
  };
}

function seenInside(path: string): string {
  for (const [name, place] of PLACES) {
    if (path === place || path.startsWith(`${place}/`)) return name + path.slice(place.length);
  }
  return path;
}

const PLACES = [
  ['', BASE.root],
  ['/dev', BASE.dev],
  ['/proc', BASE.proc],
  ['/sys', BASE.sys],
] as const;
