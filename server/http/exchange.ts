import { gzipSync } from 'node:zlib';
import type { Request, Response } from 'express';
import { PaasError } from '../../deploy/model/paas-error.ts';
import type { Session } from '../../deploy/platform/access.ts';
import type { Platform } from '../../deploy/platform.ts';
import type { Config } from '../config.ts';
import type { Assets } from './assets.ts';
import type { EventStreams } from './event-stream.ts';
import { type FrontDoor, frontDoor } from './front-door.ts';
import type { Notice, Notices } from './notices.ts';
import type { Views } from './views.ts';

/** What handlers need beside the request. */
export interface Parts {
  platform: Platform;
  config: Config;
  log: (message: string, error?: unknown) => void;
  views: Views;
  assets: Assets;
  notices: Notices;
  streams: EventStreams;
}

export interface SignedIn extends Session {
  id: string;
}

/** One request and its answer, with the visitor's session. */
export class Exchange {
  readonly parts: Parts;
  readonly req: Request;
  readonly res: Response;
  readonly #session: SignedIn | undefined;

  constructor(
    parts: Parts,
    { req, res, session }: { req: Request; res: Response; session: SignedIn | undefined },
  ) {
    this.parts = parts;
    this.req = req;
    this.res = res;
    this.#session = session;
  }

  get platform(): Platform {
    return this.parts.platform;
  }

  get door(): FrontDoor {
    return frontDoor(this.req);
  }

  get isSignedIn(): boolean {
    return this.#session !== undefined;
  }

  /** Throws `unauthorized` for a visitor. */
  get session(): SignedIn {
    if (!this.#session) throw new PaasError('unauthorized', 'Only signed-in users can see this.');
    return this.#session;
  }

  get user(): string {
    return this.session.user;
  }

  /** A part of the path, e.g. `app` of `/apps/:app`. */
  param(name: string): string {
    return String(this.req.params[name] ?? '');
  }

  get query(): URLSearchParams {
    return new URL(this.req.originalUrl, 'http://dashboard').searchParams;
  }

  get form(): URLSearchParams {
    return new URLSearchParams(typeof this.req.body === 'string' ? this.req.body : '');
  }

  /** A form field without the spaces around it. */
  field(name: string): string {
    return this.text(name).trim();
  }

  /** A form field of several lines; browsers send their ends as CR LF (HTML, 4.10.21.7), which nobody typed. */
  text(name: string): string {
    return (this.form.get(name) ?? '').replace(/\r\n?/g, '\n');
  }

  /** How to reach us by SSH, e.g. `ssh -p 2222 paas@example.com`. */
  get ssh(): string {
    const { domain, ssh } = this.parts.config;
    return ssh.port === 22 ? `ssh paas@${domain}` : `ssh -p ${ssh.port} paas@${domain}`;
  }

  /** On the page that this answer leads to. */
  tell(kind: Notice['kind'], text: string): void {
    this.parts.notices.add(this.session.id, { kind, text, for: 'next page' });
  }

  /** On whatever the session looks at by now. */
  tellLate(kind: Notice['kind'], text: string): void {
    this.parts.notices.add(this.session.id, { kind, text, for: 'whatever looks' });
  }

  /** Answers a change with the page to look at next. */
  see(path: string): void {
    this.res.redirect(303, path);
  }

  /** Answers with a page made from `views/<template>.njk`. */
  async page(template: string, data: object, status = 200): Promise<void> {
    const html = await this.parts.views.render(template, { ...this.#common(), ...data });
    this.#send(html, status);
  }

  /** A piece of a page, for an event stream. */
  render(template: string, data: object): Promise<string> {
    return this.parts.views.render(template, { ...this.#base(), ...data });
  }

  #common(): object {
    return { ...this.#base(), notices: this.#session ? this.parts.notices.take(this.#session.id) : [] };
  }

  #base(): object {
    const { domain, ssh } = this.parts.config;
    return {
      user: this.#session?.user ?? '',
      csrf: this.#session?.csrf ?? '',
      ssh: this.ssh,
      domain,
      gitRemote: `ssh://paas@${domain}${ssh.port === 22 ? '' : `:${ssh.port}`}`,
    };
  }

  #send(html: string, status: number): void {
    this.res.status(status).set({ 'Content-Type': 'text/html; charset=utf-8', Vary: 'Accept-Encoding' });
    if (this.req.acceptsEncodings('gzip') === 'gzip') {
      // Pages are small: at once takes a fraction of a millisecond, and keeps no threads and buffers waiting.
      this.res.set('Content-Encoding', 'gzip').end(gzipSync(html, { level: 4 }));
    } else {
      this.res.end(html);
    }
  }
}
