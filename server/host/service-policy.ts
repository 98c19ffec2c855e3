import { existsSync, readFileSync, rmSync } from 'node:fs';
import { replaceFile } from './files.ts';

/**
 * Keeps Debian's packages from starting their services while they are installed, by the file that invoke-rc.d(8) asks.
 * The file names the packages, so that a set-up that was killed leaves behind what it was at. Somebody else's file stays as it is.
 */
export class ServicePolicy {
  readonly #file: string;

  constructor(file = '/usr/sbin/policy-rc.d') {
    this.#file = file;
  }

  /** The packages that a set-up was installing when it was killed; undefined: none was. */
  interrupted(): string[] | undefined {
    if (!existsSync(this.#file)) return undefined;
    return OWN.exec(readFileSync(this.#file, 'utf8'))?.[1]?.split(' ');
  }

  /** Calls `work`, during which the packages start nothing. */
  async during<T>(packages: string[], work: () => Promise<T>): Promise<T> {
    if (existsSync(this.#file) && !this.interrupted()) return work();
    replaceFile(this.#file, `#!/bin/sh\n${REMARK}${packages.join(' ')}\nexit 101\n`, { mode: 0o755 });
    const interrupted = () => {
      this.remove();
      process.exit(130);
    };
    process.once('SIGINT', interrupted).once('SIGTERM', interrupted);
    try {
      return await work();
    } finally {
      process.off('SIGINT', interrupted).off('SIGTERM', interrupted);
      this.remove();
    }
  }

  /** Takes the file away if it is ours. */
  remove(): void {
    if (this.interrupted()) rmSync(this.#file, { force: true });
  }
}

const REMARK = '# Put here by the set-up of paas while it installs packages: ';
const OWN = new RegExp(`^${REMARK}(.*)$`, 'm');
