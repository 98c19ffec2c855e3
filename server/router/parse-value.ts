/** A route table that cannot be taken; the message says which part. */
export class RouteTableError extends Error {}

// Each of these returns the value of a part of the table, and throws RouteTableError for what is none. `where`: e.g. `apps[3].hosts`.

export function object(value: unknown, where: string): Record<string, unknown> {
  if (typeof value !== 'object' || value === null || Array.isArray(value)) {
    throw new RouteTableError(`${where} is no object.`);
  }
  return value as Record<string, unknown>;
}

export function list(value: unknown, where: string): unknown[] {
  if (!Array.isArray(value)) throw new RouteTableError(`${where} is no list.`);
  return value;
}

export function matching(value: unknown, pattern: RegExp, where: string): string {
  if (typeof value !== 'string' || !pattern.test(value)) {
    throw new RouteTableError(`${where} must match ${pattern.source}.`);
  }
  return value;
}

/** The value by `parse`; nothing where there is none: to be spread into an object. */
export function optional<K extends string, T>(
  from: Record<string, unknown>,
  key: K,
  parse: (value: unknown) => T,
): { [key in K]?: T } {
  return from[key] === undefined ? {} : ({ [key]: parse(from[key]) } as { [key in K]?: T });
}

export function integer(value: unknown, where: string, [least, most]: [number, number]): number {
  if (typeof value === 'number' && Number.isInteger(value) && value >= least && value <= most) return value;
  throw new RouteTableError(`${where} is no number from ${least} to ${most}.`);
}

/** A host as routes have it; `*.` in front for all that is below. */
export const HOST =
  /^(?=.{1,253}$)(\*\.)?[a-z0-9_]([a-z0-9_-]*[a-z0-9_])?(\.[a-z0-9_]([a-z0-9_-]*[a-z0-9_])?)*$/;

/** UTF-8 of at most 64 KiB has no more characters. */
export const PAGE = /^.{1,65536}$/s;
