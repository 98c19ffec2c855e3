import { spawn } from 'node:child_process';
import type { BaseChain, Rule } from './passage.ts';

/** The program nft(8), and which changes of the rules were made by it for us. */
export class Nft {
  /** Process ids of the last runs, oldest first. */
  readonly #runs: number[] = [];

  /** Carries out commands, as one transaction. Throws with nft's words. */
  async change(commands: string): Promise<void> {
    if (commands !== '') await this.#run(['-f', '-'], commands);
  }

  /** The chains at which packets to and through the host come by, of whomever, and all tables' names. */
  async list(): Promise<{ tables: string[]; chains: BaseChain[] }> {
    const found = await this.#list('chains');
    const chains = found.flatMap(({ chain }) => (chain ? [chain as unknown as BaseChain] : []));
    const based = chains.filter(
      ({ hook, family }) =>
        (hook === 'forward' || hook === 'input') && (family === 'ip' || family === 'inet'),
    );
    return {
      tables: chains.map(({ table }) => table),
      chains: await Promise.all(based.map(async (chain) => ({ ...chain, rules: await this.#rules(chain) }))),
    };
  }

  /** Whether this process was one of the last runs. */
  isOwn(pid: number): boolean {
    return this.#runs.includes(pid);
  }

  async #rules({ family, table, name }: BaseChain): Promise<Rule[]> {
    const found = await this.#list('chain', family, table, name);
    return found.flatMap(({ rule }) => (rule ? [rule as unknown as Rule] : []));
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
