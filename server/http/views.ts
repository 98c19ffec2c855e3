import type { Environment } from 'nunjucks';
import { absoluteTime, duration, relativeTime } from './relative-time.ts';

const FOLDER = new URL('../../views/', import.meta.url).pathname;

/** The templates. Neither nunjucks nor a template is loaded before a page needs it. */
export class Views {
  #environment: Promise<Environment> | undefined;
  readonly #assetUrl: (name: string) => string;

  constructor(assetUrl: (name: string) => string) {
    this.#assetUrl = assetUrl;
  }

  /** Renders `views/<template>.njk` with everything escaped. Throws for a name that the template knows and `data` does not. */
  async render(template: string, data: object): Promise<string> {
    this.#environment ??= createEnvironment(this.#assetUrl);
    const environment = await this.#environment;
    return environment.render(`${template}.njk`, data);
  }
}

async function createEnvironment(assetUrl: (name: string) => string): Promise<Environment> {
  const { default: nunjucks } = await import('nunjucks');
  const loader = new nunjucks.FileSystemLoader(FOLDER);
  const environment = new nunjucks.Environment(loader, {
    autoescape: true,
    throwOnUndefined: true,
    trimBlocks: true,
    lstripBlocks: true,
  });
  environment.addGlobal('asset', assetUrl);
  environment.addFilter('ago', (at: Date) => relativeTime(at, new Date()));
  environment.addFilter('absolute', absoluteTime);
  environment.addFilter('iso', (at: Date) => at.toISOString());
  environment.addFilter('duration', duration);
  environment.addFilter('short', (commit: string) => commit.slice(0, 8));
  return environment;
}
