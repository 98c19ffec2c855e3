import type { Container } from '../containers/container.ts';
import type { Engine } from '../containers/engine.ts';
import { EngineError } from '../engine-error.ts';
import { containerMounts, listViews } from './container-view.ts';
import type { Exchange } from './exchange.ts';
import { Filters } from './filters.ts';
import { publishedPorts } from './network-view.ts';

/** Every value that a filter of this name may have. */
const KNOWN_VALUES: Record<string, string[]> = {
  status: ['created', 'restarting', 'running', 'removing', 'paused', 'exited', 'dead'],
  health: ['starting', 'healthy', 'unhealthy', 'none'],
};

/** `GET /containers/json`. Throws `invalid`, and `not_found` for a container that `before` or `since` means. */
export async function listContainers(engine: Engine, volumes: string, exchange: Exchange): Promise<void> {
  const filters = parseFilters(exchange.query.get('filters'));
  const limit = exchange.number('limit') ?? 0;
  const all = exchange.flag('all') || limit > 0 || filters.values('status') !== undefined;
  const isFitting = fitting(engine, { filters, exchange, volumes });
  const found = engine
    .list(exchange.access)
    .filter((container) => (all || container.running || container.restarting) && isFitting(container));
  const shown = limit > 0 ? found.slice(0, limit) : found;
  const view = listViews(engine, volumes);
  const views = shown.map(async (container) => ({
    ...view(container),
    ...(exchange.flag('size') ? await engine.size(container) : {}),
  }));
  exchange.send(200, await Promise.all(views));
}

function parseFilters(text: string | null): Filters {
  const filters = new Filters(text);
  filters.allow(
    ...['id', 'name', 'label', 'status', 'exited', 'health', 'ancestor'],
    ...['before', 'since', 'network', 'volume', 'publish', 'expose'],
  );
  for (const [name, known] of Object.entries(KNOWN_VALUES)) {
    const unknown = filters.values(name)?.find((value) => !known.includes(value));
    if (unknown !== undefined) throw new EngineError('invalid', `invalid filter '${name}=${unknown}'`);
  }
  for (const name of ['publish', 'expose']) filters.values(name)?.forEach(parsePorts);
  const code = filters.values('exited')?.find((value) => !/^\d{1,3}$/.test(value));
  if (code !== undefined) throw new EngineError('invalid', `invalid filter 'exited=${code}'`);
  return filters;
}

function fitting(
  engine: Engine,
  context: { filters: Filters; exchange: Exchange; volumes: string },
): (container: Container) => boolean {
  const { filters, exchange, volumes } = context;
  const times = (name: string) =>
    filters.values(name)?.map((reference) => engine.find(reference, exchange.access).config.created) ?? [];
  const [before, since] = [times('before'), times('since')];
  const ancestors = filters.values('ancestor')?.map((name) => engine.images.known(name)?.id);
  return (container) => {
    const { config, state } = container;
    return (
      filters.labels(config.process.Labels) &&
      filters.some('id', (id) => config.id.startsWith(id)) &&
      filters.some('name', (pattern) => nameFits(config.name, pattern)) &&
      filters.some('status', (status) => state.status === status) &&
      filters.some('exited', (code) => state.status === 'exited' && state.exitCode === Number(code)) &&
      filters.some('health', (health) => (container.health?.status ?? 'none') === health) &&
      (!ancestors || ancestors.includes(config.image)) &&
      before.every((time) => config.created < time) &&
      since.every((time) => config.created > time) &&
      filters.some('network', (name) => isIn(engine, container, name)) &&
      filters.some('volume', (name) => hasMount(container, { name, volumes })) &&
      filters.some('publish', (ports) => hasPort(hostPorts(container), ports)) &&
      filters.some('expose', (ports) => hasPort(Object.keys(config.process.ExposedPorts), ports))
    );
  };
}

/** Part of a name; `^` and `$` stand for its ends, `/` for what Docker writes before it. Other patterns are taken as they are. */
function nameFits(name: string, pattern: string): boolean {
  const [, begin, text, end] = /^(\^?)\/?(.*?)(\$?)$/s.exec(pattern)!;
  if (begin && end) return name === text;
  if (begin) return name.startsWith(text!);
  return end ? name.endsWith(text!) : name.includes(text!);
}

function isIn(engine: Engine, container: Container, reference: string): boolean {
  return engine.networks
    .of(container.config)
    .some(([network]) => network.name === reference || network.id.startsWith(reference));
}

/** The host's, also those that were chosen for it: only of one that runs. */
function hostPorts(container: Container): string[] {
  return publishedPorts(container).map(({ hostPort, protocol }) => `${hostPort}/${protocol}`);
}

interface PortRange {
  first: number;
  last: number;
  protocol: string;
}

/** `known`: ports as `80/tcp`, or what else an image says there; `wanted`: as `80`, `80/udp` or `8000-8010/tcp`. */
function hasPort(known: string[], wanted: string): boolean {
  const { first, last, protocol } = parsePorts(wanted);
  return known
    .map(portRange)
    .some((it) => it !== undefined && it.protocol === protocol && it.first <= last && it.last >= first);
}

/** Throws `invalid`. */
function parsePorts(text: string): PortRange {
  const range = portRange(text);
  if (range) return range;
  throw new EngineError('invalid', `"${text}" means no ports: 80, 53/udp or 8000-8010/tcp.`);
}

function portRange(text: string): PortRange | undefined {
  const [, first, last = first, protocol = 'tcp'] =
    /^(\d{1,5})(?:-(\d{1,5}))?(?:\/(tcp|udp|sctp))?$/.exec(text) ?? [];
  if (first === undefined || Number(first) > Number(last)) return undefined;
  return { first: Number(first), last: Number(last), protocol };
}

/** By the volume's name, its source, or where it is mounted. */
function hasMount(container: Container, { name, volumes }: { name: string; volumes: string }): boolean {
  return containerMounts(container, volumes).some((mount) =>
    [mount.Name, mount.Source, mount.Destination].includes(name),
  );
}
