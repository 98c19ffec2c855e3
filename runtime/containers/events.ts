import type { Access } from './container-config.ts';

/** One line of `GET /events`, as Docker spells it. */
export interface EngineEvent {
  Type: 'container' | 'image' | 'network' | 'volume';
  Action: string;
  Actor: { ID: string; Attributes: Record<string, string> };
  scope: 'local';
  /** Unix seconds. */
  time: number;
  timeNano: number;
  /** Older clients read these three. */
  status: string;
  id: string;
  from?: string;
}

/** What has happened to something that only `origin` (and root) may see. */
export type Happening = Pick<EngineEvent, 'Type' | 'Action'> & {
  id: string;
  attributes: Record<string, string>;
  origin: Access;
};

interface Remembered {
  event: EngineEvent;
  origin: Access;
}

/** Passes on what happens, and remembers the last of it for clients that ask `since`. */
export class EventLog {
  readonly #listeners = new Set<(remembered: Remembered) => void>();
  readonly #recent: Remembered[] = [];
  readonly #capacity: number;

  constructor(capacity = 512) {
    this.#capacity = capacity;
  }

  publish(happening: Happening): void {
    const remembered = { event: toEvent(happening, Date.now()), origin: happening.origin };
    this.#recent.push(remembered);
    if (this.#recent.length > this.#capacity) this.#recent.shift();
    for (const listener of this.#listeners) listener(remembered);
  }

  /** What is remembered from `seconds` (Unix time, with fraction) on, oldest first. */
  since(seconds: number, access: Access): EngineEvent[] {
    return this.#recent
      .filter(({ event, origin }) => microsecondsAfter(seconds, event) >= 0 && maySee(access, origin))
      .map(({ event }) => event);
  }

  /** Returns the function that ends it. */
  subscribe(access: Access, tell: (event: EngineEvent) => void): () => void {
    const listener = ({ event, origin }: Remembered) => {
      if (maySee(access, origin)) tell(event);
    };
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }
}

function maySee(access: Access, origin: Access): boolean {
  return access === 'root' || origin === 'platform';
}

/** How long after a time (Unix seconds, with fraction) it happened: whole ones, since in binary seconds are rounded one way and nanoseconds the other. */
export function microsecondsAfter(seconds: number, { timeNano }: EngineEvent): number {
  return Math.round(timeNano / 1e3) - Math.round(seconds * 1e6);
}

function toEvent(happening: Happening, now: number): EngineEvent {
  const { Type, Action, id, attributes } = happening;
  return {
    Type,
    Action,
    Actor: { ID: id, Attributes: attributes },
    scope: 'local',
    time: Math.floor(now / 1000),
    timeNano: now * 1e6,
    status: Action,
    id,
    ...(attributes.image === undefined ? {} : { from: attributes.image }),
  };
}
