/** What control sends to the router, whole, at every change (`PUT /routes` on `$PAAS_RUN/control/router.sock`). */
export interface RouteTable {
  /** Where requests for the dashboard's host go. */
  dashboard: { host: string; socketPath: string };
  apps: AppRoute[];
}

export interface AppRoute {
  app: string;
  /** Lower case, no port, no trailing dot. */
  hosts: string[];
  /**
   * up: has dynos. booting: its first web dynos are starting (requests are held up to 75 s, then H20). crashed: every web dyno
   * crashed (H10). stopped: scaled to zero (H14). no-release: H81.
   * maintenance: closed to visitors (H80). asleep: as booting, and control is told that somebody came.
   */
  state: 'up' | 'booting' | 'asleep' | 'crashed' | 'stopped' | 'no-release' | 'maintenance';
  /** HTML in place of the router's own page of H80. */
  page?: string;
  dynos: DynoRoute[];
  /** A release that some visitors get. */
  canary?: CanaryRoute;
}

export interface CanaryRoute {
  /** Its number, e.g. `12`. */
  release: string;
  /** Percent of the visitors, 1 to 99. */
  share: number;
  dynos: DynoRoute[];
}

export interface DynoRoute {
  /** e.g. `web.1` */
  name: string;
  address: string;
  port: number;
}

/** One line for an app's log. */
export interface RouterLogLine {
  app: string;
  /** Milliseconds since the epoch. */
  at: number;
  /** `at=info method=GET path="/" host=…` */
  text: string;
}
