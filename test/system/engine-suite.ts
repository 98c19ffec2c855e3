import { existsSync } from 'node:fs';
import { after, afterEach, before } from 'mocha';
import { EngineProcess, missingForContainers } from './engine-process.ts';

export const DOCKER = '/usr/local/bin/docker';

/**
 * The runtime of the suite in whose body this stands: started before the tests, without containers after each, gone after the last. Where it
 * cannot run, or one of the files `needs` is missing, the suite is skipped.
 */
export function engineSuite(needs: string[] = [], subnet?: string): EngineProcess {
  const engine = new EngineProcess(subnet);
  before(async function () {
    if (missingForContainers() || !needs.every((path) => existsSync(path))) return this.skip();
    await engine.start();
  });
  afterEach(() => engine.removeContainers());
  after(async () => {
    if (engine.used) await engine.remove();
  });
  return engine;
}
