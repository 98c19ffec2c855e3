/** What deploy needs of the router; server/control.ts brings the real one. */
export interface Router {
  /** Resolves when the table is in effect. */
  setRoutes(apps: AppRoute[]): Promise<void>;
  /** How many requests to these dynos are in flight. */
  inFlight(dynos: DynoAddress[]): Promise<number>;
  /** Resolves when no request to these dynos is in flight any more, or after so many milliseconds. */
  drain(dynos: DynoAddress[], milliseconds: number): Promise<void>;
}

export interface DynoAddress {
  address: string;
  port: number;
}

export interface AppRoute {
  app: string;
  hosts: string[];
  state: 'up' | 'booting' | 'asleep' | 'crashed' | 'stopped' | 'no-release' | 'maintenance';
  /** HTML for the visitors in maintenance mode, in place of the router's own page. */
  page?: string;
  dynos: (DynoAddress & { name: string })[];
  /** A release that some visitors get: its number, percent of the visitors. */
  canary?: { release: string; share: number; dynos: (DynoAddress & { name: string })[] };
}
