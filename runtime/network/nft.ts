import { spawn } from 'node:child_process';

/** Has nft(8) carry out commands, as one transaction. Throws with nft's words. */
export async function nft(commands: string): Promise<void> {
  await run(['-f', '-'], commands);
}

/** What nft(8) prints as JSON (libnftables-json(5)), e.g. of `list chains`; the items of its `nftables`. */
export async function nftList(...what: string[]): Promise<Record<string, unknown>[]> {
  return JSON.parse(await run(['-j', '-a', 'list', ...what], '')).nftables;
}

function run(args: string[], input: string): Promise<string> {
  return new Promise((resolve, reject) => {
    const child = spawn('nft', args, { stdio: 'pipe' });
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
