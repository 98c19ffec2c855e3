import { X509Certificate } from 'node:crypto';
import { connect } from 'node:tls';
import { CertificateMaker, type Made } from '../deploy/tls/certificate-maker.ts';
import { Checkout, Lane, type ReleaseFacts } from './control-ledger.ts';
import type { Outcome } from './instance.ts';

/** Pushes that some visitors get first, and what becomes of them: `code 3, some get code 4`. */
export class CanaryLane extends Lane {
  #checkout!: Checkout;
  #codes = new Map<string, string>();

  async begin(): Promise<void> {
    this.#checkout = await Checkout.make(this.paas, this.app);
    this.acknowledged = 'code 1, some get none';
    await this.#push('code 1');
    await this.paas.paas(`releases:canary 50% -a ${this.app}`);
  }

  protected async choose(): Promise<string> {
    const { all, some } = readCanary(this.acknowledged);
    const pushed = `${all}, some get ${this.#checkout.next()}`;
    if (some === 'none') return pushed;
    return this.random.pick([pushed, `${some}, some get none`, `${all}, some get none`]);
  }

  protected ask(what: string): Promise<Outcome> {
    const wanted = readCanary(what);
    if (wanted.some !== 'none') return this.#push(wanted.some);
    const isPromoted = wanted.all === readCanary(this.acknowledged).some;
    return this.paas.ssh(`releases:${isPromoted ? 'promote' : 'abort'} -a ${this.app}`);
  }

  protected async observe(): Promise<string> {
    const releases = await this.releases();
    const codeOf = (release: ReleaseFacts | undefined) => this.#codes.get(release?.commit ?? '') ?? 'none';
    return `${codeOf(releases.find(({ current }) => current))}, some get ${codeOf(releases.find(({ canary }) => canary))}`;
  }

  /** One that was given up did serve. */
  protected override served(release: ReleaseFacts | undefined): boolean {
    return release !== undefined;
  }

  async #push(code: string): Promise<Outcome> {
    this.#codes.set(await this.#checkout.commit(code), code);
    return this.#checkout.push('main');
  }
}

function readCanary(state: string): { all: string; some: string } {
  const [all = '', some = ''] = state.split(', some get ');
  return { all, some };
}

/** A branch with a preview, pushed and deleted: `code 2`, or `none`. */
export class PreviewLane extends Lane {
  #checkout!: Checkout;

  get #preview(): string {
    return `${this.app}-feature`;
  }

  async begin(): Promise<void> {
    this.#checkout = await Checkout.make(this.paas, this.app);
    await this.#checkout.commit('code 1');
    await this.#checkout.push('main');
    await this.paas.paas(`previews:on -a ${this.app}`);
    this.acknowledged = 'none';
  }

  protected async choose(): Promise<string> {
    return this.acknowledged === 'none' || this.random.chance(0.5) ? this.#checkout.next() : 'none';
  }

  protected async ask(what: string): Promise<Outcome> {
    if (what === 'none') return this.#checkout.push(':feature');
    await this.#checkout.commit(what);
    return this.#checkout.push('HEAD:refs/heads/feature');
  }

  /** One whose first build came to nothing answers nobody. */
  protected async observe(): Promise<string> {
    const { status, body } = await this.paas.get(this.#preview);
    return status === 200 ? body.trim() : 'none';
  }

  protected override async halves(): Promise<string[]> {
    const { previews } = JSON.parse(await this.paas.paas(`previews -a ${this.app} --json`));
    const listed = previews.some(({ app }: { app: string }) => app === this.#preview);
    const isThere = await this.#isThere();
    await this.observe(); // one whose removal was undone sleeps until somebody comes
    const hasRelease = isThere && (await this.releases(this.#preview)).some(({ current }) => current);
    return [
      ...(await super.halves()),
      ...(listed === isThere ? [] : [`${this.#preview} is ${isThere ? 'an app' : 'a preview'} alone`]),
      ...(hasRelease ? await this.halvesOf(this.#preview) : []),
    ];
  }

  async #isThere(): Promise<boolean> {
    const apps: { name: string }[] = JSON.parse(await this.paas.paas('apps --json'));
    return apps.some(({ name }) => name === this.#preview);
  }
}

/** Cron jobs that come and go. */
export class CronLane extends Lane {
  #count = 0;

  async begin(): Promise<void> {
    await this.paas.deploy(await this.paas.checkout('node-plain', this.app));
  }

  protected async choose(): Promise<string> {
    const jobs = this.acknowledged.split(' ').filter(Boolean);
    if (jobs.length > 0 && this.random.chance(0.4))
      return jobs.filter((job) => job !== jobs[this.#count % jobs.length]).join(' ');
    this.#count += 1;
    return [...jobs, `job-${this.#count}`].sort().join(' ');
  }

  protected async ask(what: string): Promise<Outcome> {
    const [before, after] = [this.acknowledged, what].map((text) => text.split(' ').filter(Boolean));
    const added = after!.find((job) => !before!.includes(job));
    if (added) return this.paas.ssh(`cron:add -a ${this.app} @daily ${added}`);
    const removed = before!.find((job) => !after!.includes(job));
    const { stdout, ...listed } = await this.paas.ssh(`cron -a ${this.app} --json`);
    if (listed.status !== 0) return { stdout, ...listed };
    const job = JSON.parse(stdout).find(({ command }: { command: string }) => command === removed);
    return this.paas.ssh(`cron:remove ${job.id} -a ${this.app}`);
  }

  protected async observe(): Promise<string> {
    const jobs: { command: string }[] = JSON.parse(await this.paas.paas(`cron -a ${this.app} --json`));
    return jobs
      .map(({ command }) => command)
      .sort()
      .join(' ');
  }
}

/** Certificates of one's own for a host: which one it shows. */
export class CertificateLane extends Lane {
  #maker = new CertificateMaker();
  #certificates: Made[] = [];

  async begin(): Promise<void> {
    await this.paas.deploy(await this.paas.checkout('node-plain', this.app));
    this.#certificates = [0, 1].map(() => this.#maker.make({ names: [this.#host] }));
    this.acknowledged = 'none';
  }

  dispose(): void {
    this.#maker.dispose();
  }

  get #host(): string {
    return `${this.app}.localhost`;
  }

  protected async choose(): Promise<string> {
    const all = ['none', ...this.#certificates.map(fingerprintOf)];
    return this.random.pick(all.filter((one) => one !== this.acknowledged));
  }

  protected ask(what: string): Promise<Outcome> {
    if (what === 'none') return this.paas.ssh(`certs:remove ${this.#host} -a ${this.app}`);
    const { chain, key } = this.#certificates.find((made) => fingerprintOf(made) === what)!;
    return this.paas.ssh(`certs:add - -a ${this.app}`, { stdin: chain + key });
  }

  protected async observe(): Promise<string> {
    const [host] = JSON.parse(await this.paas.paas(`certs -a ${this.app} --json`));
    return host.certificate?.fingerprint ?? 'none';
  }

  protected override async halves(): Promise<string[]> {
    const [known, shown] = [await this.observe(), await this.#shown()];
    const problem = `${this.app} has the certificate ${known}, and the router shows ${shown}`;
    return [...(await super.halves()), ...(known === shown ? [] : [problem])];
  }

  #shown(): Promise<string> {
    const port = Number(this.paas.endpoints.https!.split(':').at(-1));
    const options = { host: '127.0.0.1', port, servername: this.#host, rejectUnauthorized: false };
    return new Promise((resolve) => {
      const socket = connect(options, () => {
        resolve(socket.getPeerCertificate().fingerprint256);
        socket.destroy();
      });
      socket.on('error', () => resolve('none'));
    });
  }
}

function fingerprintOf({ chain }: Made): string {
  return new X509Certificate(chain).fingerprint256;
}
