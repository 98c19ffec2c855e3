import { EngineError } from '../engine-error.ts';

/** The query's `filters`: `{"label": ["a=b"]}` or the older `{"label": {"a=b": true}}`. Throws `invalid`. */
export class Filters {
  readonly #filters: Record<string, string[]>;

  constructor(text: string | null) {
    this.#filters = text ? parse(text) : {};
  }

  /** Throws `invalid` for a filter of another name. */
  allow(...names: string[]): void {
    const unknown = Object.keys(this.#filters).find((name) => !names.includes(name));
    if (unknown !== undefined) throw new EngineError('invalid', `invalid filter '${unknown}'`);
  }

  values(name: string): string[] | undefined {
    const values = this.#filters[name];
    return values && values.length > 0 ? values : undefined;
  }

  /** Whether one of the filter's values fits, or there is no such filter. */
  some(name: string, fits: (value: string) => boolean): boolean {
    return this.values(name)?.some(fits) ?? true;
  }

  /** Whether all labels asked for (`NAME` or `NAME=VALUE`) are among `labels`. */
  labels(labels: Record<string, string>): boolean {
    return (this.values('label') ?? []).every((wanted) => hasLabel(labels, wanted));
  }

  /** Whether none of the labels of `label!` is among `labels`. */
  withoutLabels(labels: Record<string, string>): boolean {
    return !(this.values('label!') ?? []).some((unwanted) => hasLabel(labels, unwanted));
  }
}

function hasLabel(labels: Record<string, string>, wanted: string): boolean {
  const [name, ...value] = wanted.split('=');
  const label = Object.hasOwn(labels, name!) ? labels[name!] : undefined;
  return value.length === 0 ? label !== undefined : label === value.join('=');
}

function parse(text: string): Record<string, string[]> {
  try {
    const entries = Object.entries(JSON.parse(text) as object).map(([name, value]) => [
      name,
      (Array.isArray(value) ? value : Object.keys(value as object)).map(String),
    ]);
    return Object.fromEntries(entries);
  } catch {
    throw new EngineError('invalid', `The filters are not JSON: ${text.slice(0, 100)}`);
  }
}
