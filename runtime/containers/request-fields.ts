import { EngineError } from '../engine-error.ts';

/** One level of a JSON request body, read field by field; null and absent are the same. All methods throw `invalid`. */
export class RequestFields {
  readonly #body: Record<string, unknown>;
  readonly #where: string;

  constructor(body: unknown, where = '') {
    if (typeof body !== 'object' || body === null || Array.isArray(body)) {
      throw new EngineError('invalid', `${where || 'The request body'} must be a JSON object.`);
    }
    this.#body = body as Record<string, unknown>;
    this.#where = where;
  }

  object(name: string): RequestFields {
    return new RequestFields(this.#body[name] ?? {}, this.#path(name));
  }

  string(name: string, fallback = ''): string {
    const value = this.#body[name] ?? fallback;
    if (typeof value !== 'string' || value.includes('\0')) throw this.#error(name, 'a string');
    return value;
  }

  boolean(name: string): boolean {
    const value = this.#body[name] ?? false;
    if (typeof value !== 'boolean') throw this.#error(name, 'true or false');
    return value;
  }

  /** A whole number of at least 0; 0 and absent give the fallback. */
  count(name: string, fallback = 0): number {
    const value = this.#body[name] ?? 0;
    if (typeof value !== 'number' || !Number.isSafeInteger(value)) throw this.#error(name, 'a whole number');
    if (value < -1) throw this.#error(name, 'at least 0');
    return value > 0 ? value : fallback;
  }

  /** A whole number, 0 if absent. `min` and `max` bind all but 0. */
  integer(name: string, { min, max = Number.MAX_SAFE_INTEGER }: { min: number; max?: number }): number {
    const value = this.#body[name] ?? 0;
    if (typeof value !== 'number' || !Number.isSafeInteger(value)) throw this.#error(name, 'a whole number');
    if (value !== 0 && (value < min || value > max)) {
      throw this.#error(name, max === Number.MAX_SAFE_INTEGER ? `at least ${min}` : `from ${min} to ${max}`);
    }
    return value;
  }

  /** A list of objects. */
  objects(name: string): RequestFields[] {
    const value = this.#body[name] ?? [];
    if (!Array.isArray(value)) throw this.#error(name, 'a list of objects');
    return value.map((item, index) => new RequestFields(item, `${this.#path(name)}[${index}]`));
  }

  /** A single string counts as a list of one, as in the Engine API. */
  strings(name: string): string[] {
    const value = this.#body[name] ?? [];
    const list = typeof value === 'string' ? [value] : value;
    if (!Array.isArray(list) || list.some((item) => typeof item !== 'string' || item.includes('\0'))) {
      throw this.#error(name, 'a list of strings');
    }
    return list as string[];
  }

  /** Name → value; a list of `NAME=VALUE` counts, too. */
  map(name: string): Record<string, string> {
    const value = this.#body[name] ?? {};
    if (typeof value !== 'object' || Object.values(value).some((item) => typeof item !== 'string')) {
      throw this.#error(name, 'an object of strings');
    }
    return { ...(value as Record<string, string>) };
  }

  /** The names of an object whose values say nothing, e.g. `{"80/tcp": {}}`. */
  set(name: string): Record<string, object> {
    const value = this.#body[name] ?? {};
    if (typeof value !== 'object') throw this.#error(name, 'an object');
    return Object.fromEntries(Object.keys(value as object).map((key) => [key, {}]));
  }

  /** Whether the field says something: not absent, null, false, 0, or empty. */
  says(name: string): boolean {
    return !isEmpty(this.#body[name]);
  }

  /** The names of all fields that say something. */
  names(): string[] {
    return Object.keys(this.#body).filter((name) => this.says(name));
  }

  raw(name: string): unknown {
    return this.#body[name];
  }

  #path(name: string): string {
    return this.#where ? `${this.#where}.${name}` : name;
  }

  #error(name: string, wanted: string): EngineError {
    return new EngineError('invalid', `${this.#path(name)} must be ${wanted}.`);
  }
}

function isEmpty(value: unknown): boolean {
  if (value === undefined || value === null || value === false || value === 0 || value === '') return true;
  return typeof value === 'object' && Object.values(value).every(isEmpty);
}
