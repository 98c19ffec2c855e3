import { spawn } from 'node:child_process';
import { isPaasTable } from './firewall-table.ts';
import type { BaseChain, Rule } from './passage.ts';

/** The program nft(8), and which changes of the rules were made by it for us. */
export class Nft {
  /** Process ids of the last runs, oldest first. */
  readonly #runs: number[] = [];

  /** Carries out commands, as one transaction. Throws with nft's words. */
  async change(commands: string): Promise<void> {
    if (commands !== '') await this.#run(['-f', '-'], commands);
  }

  /** Names of all tables. */
  async tables(): Promise<string[]> {
    const found = await this.#list('tables');
    return found.flatMap(({ table }) => (table ? [(table as { name: string }).name] : []));
  }

  /** The chains of others at which packets to and through the host come by. */
  async foreignChains(): Promise<BaseChain[]> {
    const found = await this.#list('chains');
    const chains = found
      .flatMap(({ chain }) => (chain ? [chain as unknown as BaseChain] : []))
      .filter(({ hook, family }) => ['forward', 'input'].includes(hook) && ['ip', 'inet'].includes(family))
      .filter(({ table }) => !isPaasTable(table));
    const listed = await Promise.all(chains.map((chain) => this.#withRules(chain)));
    return listed.filter((chain) => chain !== undefined);
  }

  /** Whether this process was one of the last runs. */
  isOwn(pid: number): boolean {
    return this.#runs.includes(pid);
  }

  /** undefined: the chain is gone meanwhile, or has a name that nft itself does not read. */
  async #withRules(chain: BaseChain): Promise<BaseChain | undefined> {
    try {
      const found = await this.#list('chain', chain.family, chain.table, chain.name);
      return { ...chain, rules: found.flatMap(({ rule }) => (rule ? [rule as unknown as Rule] : [])) };
    } catch {
      return undefined;
    }
  }

  /** As JSON: libnftables-json(5). */
  async #list(...what: string[]): Promise<Record<string, object>[]> {
    return JSON.parse(await this.#run(['-j', '-a', 'list', ...what], '')).nftables;
  }

  #run(args: string[], input: string): Promise<string> {
    return new Promise((resolve, reject) => {
      const child = spawn('nft', args, { stdio: 'pipe' });
      if (child.pid !== undefined) this.#runs.push(child.pid);
      if (this.#runs.length > REMEMBERED_RUNS) this.#runs.shift();
      let [output, errors] = ['', ''];
      child.stdout.on('data', (chunk) => {
        output += chunk;
      });
      child.stderr.on('data', (chunk) => {
        errors += chunk;
      });
      child.on('error', (error) => {
        reject(new Error(`Could not run nft; install nftables: ${error.message}.`, { cause: error }));
      });
      child.on('close', (code) => {
        if (code === 0) resolve(output);
        else reject(new Error(`nft refused (${args.join(' ')}): ${errors.trim().slice(0, 2000)}`));
      });
      child.stdin.on('error', () => {});
      child.stdin.end(input);
    });
  }
}

const REMEMBERED_RUNS = 64;
