import { createReadStream } from 'node:fs';
import type { Duplex, Readable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import type { BuildPlan, BuildStep, FileStep, PackageStep, RunStep } from '../../buildpacks/build-plan.ts';
import type { ContainerRequest, Engine } from '../engine.ts';
import { PaasError } from '../model/paas-error.ts';
import { detail, section } from '../model/words.ts';
import { startGit } from '../receive/git.ts';
import type { GitTree } from '../receive/git-tree.ts';
import { layerKeys } from './layer-key.ts';
import type { NpmRegistry } from './npm-registry.ts';
import { stepFailure, tellsNoSpace } from './step-failure.ts';

/** The base system under every image. */
export const BASE_IMAGE = 'paas/base:debian-12';

/** Built steps, by their key. */
export const STEP_REPOSITORY = 'paas/step';

export interface BuildRun {
  plan: BuildPlan;
  tree: GitTree;
  app: string;
  write: (text: string) => void;
  signal: AbortSignal;
}

/** One container's work for a step. */
interface StepWork {
  command: string[];
  user: 'app' | 'root';
  network: boolean;
  env: Record<string, string>;
  workingDir: string;
  stdin?: () => Promise<Readable>;
  /** Its command reads the input to its last byte; otherwise tar does, which knows where it ends and leaves the padding. */
  readsAll?: boolean;
}

/** Carries a build plan out: each step in a container without privileges, what it wrote becomes a layer. */
export class ImageBuilder {
  #engine: Engine;
  #registry: NpmRegistry;
  #networkEnvironment: Record<string, string>;
  #memory: number;
  #diskLimit: number;

  constructor(options: {
    engine: Engine;
    registry: NpmRegistry;
    networkEnvironment: Record<string, string>;
    /** Bytes for each step. */
    memory: number;
    /** Bytes that each step may write; 0: no limit. */
    diskLimit: number;
  }) {
    this.#engine = options.engine;
    this.#registry = options.registry;
    this.#networkEnvironment = options.networkEnvironment;
    this.#memory = options.memory;
    this.#diskLimit = options.diskLimit;
  }

  /** Returns the image's id. Throws `invalid` where a step of the developer's own fails. */
  async build(run: BuildRun): Promise<string> {
    const base = await this.#engine.findImage(BASE_IMAGE);
    if (!base)
      throw new PaasError('internal', `The base system (${BASE_IMAGE}) is missing from the runtime.`);
    const keys = layerKeys(run.plan, run.tree, base.id);
    const done = await this.#newestBuilt(keys);
    let image = done?.image ?? base.id;
    for (const [index, step] of run.plan.steps.entries()) {
      run.signal.throwIfAborted();
      announce(step, { cached: index < (done?.steps ?? 0), write: run.write });
      if (index < (done?.steps ?? 0)) continue;
      const last = index === run.plan.steps.length - 1;
      image = await this.#makeLayer(image, step, {
        ...run,
        key: keys[index]!,
        env: last ? run.plan.env : undefined,
      });
    }
    return image;
  }

  /** The longest run of steps from the first on that was built before, for any app. */
  async #newestBuilt(keys: string[]): Promise<{ steps: number; image: string } | undefined> {
    for (let index = keys.length - 1; index >= 0; index -= 1) {
      const found = await this.#engine.findImage(`${STEP_REPOSITORY}:${keys[index]}`);
      if (found) return { steps: index + 1, image: found.id };
    }
    return undefined;
  }

  async #makeLayer(
    image: string,
    step: BuildStep,
    run: BuildRun & { key: string; env: Record<string, string> | undefined },
  ): Promise<string> {
    const work = this.#workOf(step, run.tree);
    const request: ContainerRequest = {
      image,
      command: work.command,
      env: {
        HOME: '/app',
        PATH: '/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin',
        ...run.plan.env,
        ...work.env,
      },
      workingDir: work.workingDir,
      user: work.user,
      network: work.network,
      labels: { 'paas.kind': 'build', 'paas.app': run.app },
      ours: isOurs(step),
      stdin: work.stdin !== undefined,
      hostname: 'build',
      memory: this.#memory,
      pids: 4096,
    };
    const id = await this.#engine.create(request);
    const kill = () => void this.#engine.kill(id, 'SIGKILL').catch(() => {});
    run.signal.addEventListener('abort', kill, { once: true });
    try {
      const { status, foundNoSpace } = await this.#runToEnd(id, work, run);
      run.signal.throwIfAborted();
      if (status !== 0) {
        const { oomKilled } = await this.#engine.inspect(id);
        const limits = { memory: this.#memory, disk: this.#diskLimit };
        throw stepFailure(step, { status, oomKilled, foundNoSpace }, limits);
      }
      return await this.#engine.commit(id, {
        repo: STEP_REPOSITORY,
        tag: run.key,
        env: run.env ?? {},
        drop: Object.keys(request.env),
      });
    } finally {
      run.signal.removeEventListener('abort', kill);
      this.#engine.remove(id).catch(() => {}); // nobody waits for it; control's next start removes what is left
    }
  }

  async #runToEnd(
    id: string,
    work: StepWork,
    run: Pick<BuildRun, 'write' | 'signal'>,
  ): Promise<{ status: number; foundNoSpace: boolean }> {
    const stream = await this.#engine.attach(id, { stdin: work.stdin !== undefined, terminal: false });
    let foundNoSpace = false;
    const shown = showLines(stream.output, (text) => {
      foundNoSpace ||= tellsNoSpace(text);
      run.write(text);
    });
    await this.#engine.start(id);
    if (run.signal.aborted) await this.#engine.kill(id, 'SIGKILL'); // a signal before the start finds nothing to kill
    const fed = work.stdin ? feed(await work.stdin(), stream.stdin) : undefined;
    const [status] = await Promise.all([this.#engine.wait(id), fed?.catch(() => {})]);
    await shown;
    if (status === 0) await fed?.catch((error) => ignoreLeftover(error, work));
    return { status, foundNoSpace };
  }

  #workOf(step: BuildStep, tree: GitTree): StepWork {
    switch (step.kind) {
      case 'package':
        return this.#unpackPackage(step);
      case 'file':
        return writeFile(step);
      case 'run':
        return this.#runCommand(step, tree);
      case 'source':
        return {
          command: ['tar', '-x', '--no-same-owner', '-C', '/app'],
          ...AS_APP,
          stdin: async () => archive(tree, []),
        };
    }
  }

  #unpackPackage(step: PackageStep): StepWork {
    const links = Object.entries(step.links ?? {}).flat();
    const include = (step.include ?? ['']).map((path) => `package/${path}`.replace(/\/$/, ''));
    return {
      command: [
        'bash',
        '-euo',
        'pipefail',
        '-c',
        UNPACK,
        'unpack',
        step.path,
        String(links.length),
        ...include,
        ...links,
      ],
      ...AS_ROOT,
      stdin: async () => createReadStream(await this.#registry.archive(step.package, step.version)),
    };
  }

  #runCommand(step: RunStep, tree: GitTree): StepWork {
    const files = step.reads === 'source' ? [] : step.reads;
    const unpack = files.length > 0 ? 'tar -x --no-same-owner -C /app; ' : '';
    return {
      command: ['bash', '-euo', 'pipefail', '-c', `${unpack}${step.command}`],
      ...(step.user === 'root' ? AS_ROOT : AS_APP),
      network: step.network,
      env: { ...(step.network && this.#networkEnvironment), ...step.env },
      ...(files.length > 0 && { stdin: async () => archive(tree, files) }),
    };
  }
}

/** Arguments: the folder, how many of the last ones are links, the archive's members, pairs of link and target. */
const UNPACK = [
  'path=$1; members=$(($# - 2 - $2)); shift 2',
  'mkdir -p "$path"',
  // biome-ignore lint/suspicious/noTemplateCurlyInString: bash's own
  'tar -xz --no-same-owner --strip-components=1 -C "$path" "${@:1:members}"',
  'shift "$members"',
  'while [ $# -gt 0 ]; do mkdir -p "$(dirname "$1")"; ln -sfn "$2" "$1"; shift 2; done',
].join('\n');

const AS_APP = { user: 'app', network: false, env: {}, workingDir: '/app' } as const;
const AS_ROOT = { user: 'root', network: false, env: {}, workingDir: '/' } as const;

function writeFile(step: FileStep): StepWork {
  const script = 'mkdir -p "$(dirname "$1")"; cat > "$1"; chmod "$2" "$1"';
  return {
    command: ['bash', '-euo', 'pipefail', '-c', script, 'write', step.path, step.mode.toString(8)],
    ...AS_ROOT,
    readsAll: true,
    stdin: async () => {
      const { Readable } = await import('node:stream');
      return Readable.from([step.content]);
    },
  };
}

/** `git archive` of the whole tree or of some files, as a tar stream. */
function archive(tree: GitTree, files: string[]): Readable {
  const child = startGit(['--literal-pathspecs', 'archive', '--format=tar', tree.commit, '--', ...files], {
    cwd: tree.repository,
    quarantine: tree.quarantine,
    stdio: ['ignore', 'pipe', 'ignore'],
  });
  child.on('error', (error) => child.stdout!.destroy(error));
  child.on('close', (status) => {
    if (status !== 0)
      child.stdout!.destroy(new PaasError('internal', `git archive exited with status ${status}.`));
  });
  return child.stdout!;
}

/** A tar that ended well had all that it needed: on less than an archive it fails. */
function ignoreLeftover(error: NodeJS.ErrnoException, { readsAll = false }: StepWork): void {
  const isUnread = ['ERR_STREAM_PREMATURE_CLOSE', 'EPIPE', 'ECONNRESET'].includes(error.code ?? '');
  if (readsAll || !isUnread) throw error;
}

async function feed(source: Readable, stdin: Duplex): Promise<void> {
  await pipeline(source, stdin, { end: true });
}

/** Nothing of the developer's is in it. */
function isOurs(step: BuildStep): boolean {
  return step.kind === 'file' || step.kind === 'package' || (step.kind === 'run' && step.user === 'root');
}

function announce(step: BuildStep, options: { cached: boolean; write: (text: string) => void }): void {
  if (step.kind === 'source') return;
  options.write(section(step.title));
  if (options.cached && step.kind === 'run' && step.cached) options.write(detail(`Cached: ${step.cached}`));
}

/** A container's output, each line as a detail, as it comes. */
async function showLines(output: Readable, write: (text: string) => void): Promise<void> {
  output.setEncoding('utf8');
  let rest = '';
  for await (const chunk of output) {
    const lines = (rest + chunk).split(/\r?\n|\r(?!$)/);
    rest = lines.pop()!.slice(-10_000);
    if (lines.length > 0) write(lines.map((line) => detail(line.slice(0, 2000))).join(''));
  }
  if (rest.trim()) write(detail(rest));
}
