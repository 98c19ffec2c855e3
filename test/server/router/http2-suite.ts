import { type ClientHttp2Session, connect } from 'node:http2';
import { after, afterEach, before } from 'mocha';
import type { RouteTable } from '../../../server/router/route-table.ts';
import { FrameClient } from './http2-fixture.ts';
import { RawBackend, TestRouter, tableOf } from './router-fixture.ts';
import { type Pair, TestAuthority } from './tls-fixture.ts';

/** What tests of HTTP/2 have in common: for each of them a router with a certificate, and an app behind it. */
export class Http2Suite {
  authority!: TestAuthority;
  router!: TestRouter;
  backend!: RawBackend;
  readonly cleanups: (() => unknown)[] = [];
  readonly #hosts: [string, ...string[]];
  #pair!: Pair;

  /** To be made in the suite's body. `hosts`: of the certificate. */
  constructor(...hosts: [string, ...string[]]) {
    this.#hosts = hosts;
    before(() => {
      this.authority = new TestAuthority();
      this.#pair = this.authority.issue(...hosts);
    });
    after(() => this.authority.remove());
    afterEach(async () => {
      for (const cleanup of this.cleanups.splice(0).reverse()) await cleanup();
      await this.router.stop();
      await this.backend.stop();
    });
  }

  /** `table`: of routes, for the backend's port. */
  async start(
    answer: Parameters<typeof RawBackend.start>[0],
    limits: Parameters<typeof TestRouter.start>[0] = {},
    table: (port: number) => RouteTable = (port) => tableOf([port]),
  ): Promise<void> {
    this.backend = await RawBackend.start(answer);
    this.router = await TestRouter.start(limits);
    await this.router.listenTls();
    this.router.routes.swap(this.withCertificate(table(this.backend.port)));
  }

  withCertificate(table: RouteTable): RouteTable {
    return { ...table, certificates: [{ hosts: this.#hosts, ...this.#pair }] };
  }

  /** A client as others have it. */
  open(): ClientHttp2Session {
    const session = connect(`https://127.0.0.1:${this.router.tlsPort}`, this.#tls);
    session.on('error', () => {});
    this.cleanups.push(() => session.destroy());
    return session;
  }

  /** A client that says what it is told. */
  async frames(): Promise<FrameClient> {
    const client = await FrameClient.connect(this.router.tlsPort, this.#tls);
    this.cleanups.push(() => client.close());
    return client;
  }

  get #tls(): { ca: string; servername: string } {
    return { ca: this.authority.certificate, servername: this.#hosts[0] };
  }
}
