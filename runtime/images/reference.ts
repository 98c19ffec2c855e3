import { EngineError } from '../engine-error.ts';

const REFERENCE =
  /^[a-z0-9]+(?:[._-]+[a-z0-9]+)*(?::\d+)?(?:\/[a-z0-9]+(?:[._-]+[a-z0-9]+)*)*(?::[\w][\w.-]{0,127})?$/;

/**
 * `app` → `app:latest`; what has a tag stays. There are no registries here, so Docker's own, which its client puts before
 * names at times, is left away: `docker.io/library/app:v1` → `app:v1`. Throws `invalid` for what is no image reference.
 */
export function normalizeReference(text: string): string {
  if (text.length > 255 || !REFERENCE.test(text)) {
    throw new EngineError('invalid', `"${text}" is not an image reference, e.g. paas/app-demo:v12.`);
  }
  const name = text.replace(/^docker\.io\/(?:library\/)?/, '');
  return hasTag(name) ? name : `${name}:latest`;
}

/** `paas/app-demo:v12` → `paas/app-demo`. */
export function repositoryOf(reference: string): string {
  return hasTag(reference) ? reference.slice(0, reference.lastIndexOf(':')) : reference;
}

/** As in `docker images PATTERN`: `*` and `?` within one path component, with or without a tag. */
export function matchesReference(pattern: string, reference: string): boolean {
  const expression = new RegExp(
    `^${pattern
      .replace(/[.+^${}()|[\]\\]/g, '\\$&')
      .replaceAll('*', '[^/]*')
      .replaceAll('?', '[^/]')}$`,
  );
  return expression.test(reference) || expression.test(repositoryOf(reference));
}

function hasTag(reference: string): boolean {
  return reference.lastIndexOf(':') > reference.lastIndexOf('/');
}
