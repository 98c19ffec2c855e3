import { type Duplex, PassThrough, type Readable } from 'node:stream';
import Docker from 'dockerode';
import { LineSplitter } from './model/line-splitter.ts';
import { PaasError } from './model/paas-error.ts';

/** A container as deploy asks for it. */
export interface ContainerRequest {
  name?: string;
  image: string;
  /** argv; run as it is. */
  command: string[];
  env: Record<string, string>;
  workingDir: string;
  user: 'app' | 'root';
  /** None, the way to the world alone, or a network with others besides. */
  network: boolean | { name: string; aliases: string[] };
  labels: Record<string, string>;
  /** It runs nothing but our own commands on what we brought: what it writes needs no bound, and becomes a layer without being copied. */
  ours?: boolean;
  /** Bytes. */
  memory?: number;
  /** Cores. */
  cpu?: number;
  pids?: number;
  stdin?: boolean;
  terminal?: boolean;
  hostname?: string;
  /** Files of the container are never synced to disk: not for one that will be committed. */
  volatile?: boolean;
}

/** A port of the machine that leads to ports of containers, to each in turn. */
export interface PortForward {
  protocol: 'tcp' | 'udp';
  port: number;
  targets: { container: string; port: number }[];
}

export interface ContainerSummary {
  id: string;
  labels: Record<string, string>;
  running: boolean;
}

export interface ListeningSocket {
  port: number;
  /** Nobody but a program beside it in the container reaches it. */
  loopback: boolean;
}

export interface ContainerState {
  running: boolean;
  exitCode: number;
  oomKilled: boolean;
  address: string | undefined;
  startedAt: Date;
}

export interface ImageSummary {
  id: string;
  /** The image that it was made on; '' for none. */
  parent: string;
  tags: string[];
  /** Milliseconds since the epoch. */
  createdAt: number;
}

/** What root-inside may do in a step of our own: install Debian packages, no more. */
const ROOT_CAPABILITIES = [
  'CHOWN',
  'DAC_OVERRIDE',
  'FOWNER',
  'FSETID',
  'SETGID',
  'SETUID',
  'SETFCAP',
  'KILL',
];

/** How long a runtime that is being restarted is waited for. */
const AWAY_MS = 15_000;

/** Deploy's view of the runtime, over the Docker Engine API: the only file that knows its words. */
export class Engine {
  #docker: Docker;
  #diskLimit: number;

  /** `diskLimit`: bytes that each container may write; 0: no limit. */
  constructor(socketPath: string, options: { diskLimit: number }) {
    this.#docker = new Docker({ socketPath, version: 'v1.41' });
    this.#diskLimit = options.diskLimit;
  }

  /** Resolves when the runtime answers. Throws `unavailable` after `milliseconds`. */
  async waitUntilUp(milliseconds: number): Promise<void> {
    const end = Date.now() + milliseconds;
    for (;;) {
      try {
        await this.#docker.ping();
        return;
      } catch (cause) {
        if (Date.now() > end)
          throw new PaasError('unavailable', 'The container runtime does not answer.', { cause });
        await new Promise((resolve) => setTimeout(resolve, 50));
      }
    }
  }

  /** A network that the request names is made if it is not there. */
  async create(request: ContainerRequest): Promise<string> {
    const { network } = request;
    if (typeof network === 'object') await this.#ensureNetwork(network.name);
    const container = await this.#call(`create a container of ${request.image}`, () =>
      this.#docker.createContainer({
        ...(request.name && { name: request.name }),
        Image: request.image,
        Cmd: request.command,
        Entrypoint: [],
        Env: Object.entries(request.env).map(([name, value]) => `${name}=${value}`),
        WorkingDir: request.workingDir,
        User: request.user,
        Labels: { ...request.labels, ...(request.volatile && { 'paas.volatile': '1' }) },
        OpenStdin: request.stdin ?? false,
        StdinOnce: request.stdin ?? false,
        AttachStdin: request.stdin ?? false,
        Tty: request.terminal ?? false,
        ...(request.hostname && { Hostname: request.hostname }),
        HostConfig: {
          NetworkMode: typeof network === 'object' ? network.name : network ? 'bridge' : 'none',
          PidsLimit: request.pids ?? 512,
          ...(this.#diskLimit && !request.ours && { StorageOpt: { size: String(this.#diskLimit) } }),
          ...(request.memory && { Memory: request.memory }),
          ...(request.cpu && { NanoCpus: nanoCpus(request.cpu) }),
          ...(request.user === 'root' && { CapAdd: ROOT_CAPABILITIES }),
        },
        ...(typeof network === 'object' && {
          NetworkingConfig: { EndpointsConfig: { [network.name]: { Aliases: network.aliases } } },
        }),
      }),
    );
    return container.id;
  }

  async start(id: string): Promise<void> {
    await this.#call('start a container', () => this.#docker.getContainer(id).start());
  }

  /** The container's output (demultiplexed unless it has a terminal) and its stdin. Call before `start`. */
  async attach(
    id: string,
    options: { stdin: boolean; terminal: boolean },
  ): Promise<{ output: Readable; stdin: Duplex }> {
    const stream = (await this.#call('attach to a container', () =>
      this.#docker
        .getContainer(id)
        .attach({ stream: true, stdin: options.stdin, stdout: true, stderr: true, hijack: true }),
    )) as Duplex;
    stream.on('error', () => {});
    return { output: options.terminal ? stream : this.#demultiplex(stream), stdin: stream };
  }

  /** The exit code, when it ends. */
  async wait(id: string): Promise<number> {
    const result = await this.#call('wait for a container', () => this.#docker.getContainer(id).wait());
    return result.StatusCode;
  }

  async inspect(id: string): Promise<ContainerState> {
    const info = await this.#call('inspect a container', () => this.#docker.getContainer(id).inspect());
    return {
      running: info.State.Running,
      exitCode: info.State.ExitCode,
      oomKilled: info.State.OOMKilled,
      address: Object.values(info.NetworkSettings.Networks)[0]?.IPAddress || undefined,
      startedAt: new Date(info.State.StartedAt),
    };
  }

  /** Whether the kernel killed something in an ended container for want of memory. */
  async ranOutOfMemory(id: string): Promise<boolean> {
    return this.inspect(id).then(
      ({ oomKilled }) => oomKilled,
      () => false,
    );
  }

  /** Containers, running or not, with all of these labels. */
  async list(labels: string[]): Promise<ContainerSummary[]> {
    const found = await this.#call('list containers', () =>
      this.#docker.listContainers({ all: true, filters: { label: labels } }),
    );
    return found.map((info) => ({ id: info.Id, labels: info.Labels, running: info.State === 'running' }));
  }

  /** SIGTERM, and SIGKILL after so many seconds. A container that is gone or stopped is fine. */
  async stop(id: string, seconds: number): Promise<void> {
    await this.#call(
      'stop a container',
      () => this.#docker.getContainer(id).stop({ t: seconds }),
      [304, 404],
    );
  }

  async kill(id: string, signal: string): Promise<void> {
    await this.#call('signal a container', () => this.#docker.getContainer(id).kill({ signal }), [404, 409]);
  }

  /** Gives a container other limits while it runs; no `cpu`: no limit. */
  async update(id: string, limits: { memory: number; cpu: number | undefined }): Promise<void> {
    const container = this.#docker.getContainer(id);
    await this.#call('change the limits of a container', () =>
      container.update({ Memory: limits.memory, NanoCpus: nanoCpus(limits.cpu ?? 0) }),
    );
  }

  /** Bytes that a running container holds and the kernel could not take back, and how many it may have. */
  async memory(id: string): Promise<{ used: number; limit: number }> {
    const { memory_stats } = await this.#call('measure a container', () =>
      this.#docker.getContainer(id).stats({ stream: false, 'one-shot': true }),
    );
    const { usage = 0, limit = 0, stats = {} } = memory_stats;
    return { used: usage - fileCache(stats), limit };
  }

  /** Where a running container listens. */
  async listeningSockets(id: string): Promise<ListeningSocket[]> {
    const { Sockets } = await this.#dial<{ Sockets: { Port: number; Loopback: boolean }[] }>(
      'look into a container',
      { path: `/containers/${id}/listening`, method: 'GET', statusCodes: { 200: true } },
    );
    return Sockets.map(({ Port, Loopback }) => ({ port: Port, loopback: Loopback }));
  }

  async resize(id: string, size: { rows: number; columns: number }): Promise<void> {
    const container = this.#docker.getContainer(id);
    await this.#call(
      'resize a terminal',
      () => container.resize({ h: size.rows, w: size.columns }),
      [404, 409],
    );
  }

  async remove(id: string): Promise<void> {
    await this.#call(
      'remove a container',
      () => this.#docker.getContainer(id).remove({ force: true }),
      [404, 409],
    );
  }

  /**
   * Makes an image of a stopped container; returns its id. Of the container's environment nothing stays but `env`: what a
   * build step was given (proxies, registries) is not the app's business.
   */
  async commit(
    id: string,
    options: { repo: string; tag: string; env: Record<string, string>; drop: string[] },
  ): Promise<string> {
    const { repo, tag, env, drop } = options;
    // A name without a value takes it out of the image's environment.
    const Env = [...drop, ...Object.entries(env).map(([name, value]) => `${name}=${value}`)];
    const image = await this.#call('commit a container', () =>
      this.#docker.getContainer(id).commit({ repo, tag, Env }),
    );
    return image.Id ?? image.ID;
  }

  /** The image's id and environment; undefined where there is none. */
  async findImage(reference: string): Promise<{ id: string; env: string[] } | undefined> {
    try {
      const info = await this.#docker.getImage(reference).inspect();
      return { id: info.Id, env: info.Config.Env ?? [] };
    } catch (error) {
      if (statusOf(error) === 404) return undefined;
      throw this.#problem('look an image up', error);
    }
  }

  /** One that is gone, or that a container is still in, is left as it is. */
  async removeNetwork(name: string): Promise<void> {
    await this.#call('remove a network', () => this.#docker.getNetwork(name).remove(), [403, 404]);
  }

  async listImages(): Promise<ImageSummary[]> {
    const found = await this.#call('list images', () => this.#docker.listImages());
    return found.map((image) => ({
      id: image.Id,
      parent: image.ParentId,
      tags: image.RepoTags ?? [],
      createdAt: image.Created * 1000,
    }));
  }

  /** One that is gone, or that a container or another image stands on, is left as it is. */
  async removeImage(reference: string): Promise<void> {
    await this.#call('remove an image', () => this.#docker.getImage(reference).remove(), [404, 409]);
  }

  /** Output lines with the time at which the runtime read them, from `since` on; ends when the container's log does. */
  async *logs(
    id: string,
    since: Date | undefined,
    signal: AbortSignal,
  ): AsyncGenerator<{ at: Date; text: string }> {
    const stream = (await this.#call('read the log of a container', () =>
      this.#docker.getContainer(id).logs({
        follow: true,
        stdout: true,
        stderr: true,
        timestamps: true,
        ...(since && { since: since.getTime() / 1000 }),
      }),
    )) as unknown as Duplex;
    const stop = () => stream.destroy();
    signal.addEventListener('abort', stop, { once: true });
    try {
      for await (const line of textLines(this.#demultiplex(stream))) {
        const space = line.indexOf(' ');
        const at = new Date(space < 0 ? line : line.slice(0, space));
        if (!Number.isNaN(at.getTime())) yield { at, text: space < 0 ? '' : line.slice(space + 1) };
      }
    } finally {
      signal.removeEventListener('abort', stop);
      stream.destroy();
    }
  }

  /** The id of every container that ends from now on. Returns when the connection is lost. */
  async *ends(signal: AbortSignal, connected: () => void): AsyncGenerator<string> {
    const stream = (await this.#call('listen to events', () =>
      this.#docker.getEvents({ filters: { type: ['container'], event: ['die'] } }),
    )) as Readable;
    const stop = () => stream.destroy();
    signal.addEventListener('abort', stop, { once: true });
    stream.on('error', () => {});
    connected();
    try {
      for await (const line of textLines(stream)) {
        const event = JSON.parse(line);
        if (event.Action === 'die') yield event.Actor.ID;
      }
    } finally {
      signal.removeEventListener('abort', stop);
      stream.destroy();
    }
  }

  /**
   * Where ports of the machine lead, in the place of the last ones (`POST /forwards`, no part of Docker's API); returns those that another
   * program has.
   */
  async forwardPorts(forwards: PortForward[]): Promise<{ protocol: string; port: number; reason: string }[]> {
    const Forwards = forwards.map(({ protocol, port, targets }) => ({
      Protocol: protocol,
      Port: port,
      Targets: targets.map((target) => ({ Container: target.container, Port: target.port })),
    }));
    const call = { path: '/forwards', method: 'POST', options: { Forwards }, statusCodes: { 200: true } };
    const { Refused } = await this.#dial<{ Refused: { Protocol: string; Port: number; Reason: string }[] }>(
      'forward ports',
      call,
    );
    return Refused.map(({ Protocol, Port, Reason }) => ({ protocol: Protocol, port: Port, reason: Reason }));
  }

  /** An endpoint that is no part of Docker's API. */
  #dial<T>(what: string, call: Parameters<Docker['modem']['dial']>[0]): Promise<T> {
    const dialled = () =>
      new Promise<T>((resolve, reject) =>
        this.#docker.modem.dial(call, (error, answer) => (error ? reject(error) : resolve(answer as T))),
      );
    return this.#call(what, dialled);
  }

  async #ensureNetwork(name: string): Promise<void> {
    await this.#call('make a network', () => this.#docker.createNetwork({ Name: name }), [409]);
  }

  #demultiplex(stream: Duplex): Readable {
    const output = new PassThrough();
    this.#docker.modem.demuxStream(stream, output, output);
    for (const event of ['end', 'close', 'error']) stream.once(event, () => output.end());
    return output;
  }

  async #call<T>(what: string, work: () => Promise<T>, ignore: number[] = []): Promise<T> {
    for (const end = Date.now() + AWAY_MS; ; ) {
      try {
        return await work();
      } catch (error) {
        if (ignore.includes(statusOf(error) ?? 0)) return undefined as T;
        if (!neverArrived(error) || Date.now() > end) throw this.#problem(what, error);
      }
      await new Promise((resolve) => setTimeout(resolve, 50));
    }
  }

  #problem(what: string, cause: unknown): PaasError {
    const reason = (cause as { json?: { message?: string } }).json?.message ?? (cause as Error).message;
    const code = statusOf(cause) === undefined ? 'unavailable' : 'internal';
    return new PaasError(code, `The runtime could not ${what}: ${reason}`, { cause });
  }
}

/** What of its memory is a cache of files, which goes when it is needed: memory.stat of cgroup v1 (`total_…`: with groups below) or v2. */
function fileCache(stats: Partial<Record<string, number>>): number {
  const of = (name: string) => stats[`total_${name}`] ?? stats[name] ?? 0;
  return of('inactive_file') + of('active_file');
}

function nanoCpus(cores: number): number {
  return Math.round(cores * 1e9);
}

/** Nobody listened: the request can be sent again without doing anything twice. */
function neverArrived(error: unknown): boolean {
  return ['ECONNREFUSED', 'ENOENT'].includes((error as { code?: string }).code ?? '');
}

function statusOf(error: unknown): number | undefined {
  return (error as { statusCode?: number }).statusCode;
}

async function* textLines(stream: Readable): AsyncGenerator<string> {
  const lines = new LineSplitter();
  stream.setEncoding('utf8');
  for await (const chunk of stream) yield* lines.push(chunk);
  yield* lines.flush();
}
