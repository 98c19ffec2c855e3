import type { Container } from '../containers/container.ts';
import type { Engine } from '../containers/engine.ts';
import { parseEndpoint } from '../containers/request/endpoint-request.ts';
import { RequestFields } from '../containers/request-fields.ts';
import { EngineError } from '../engine-error.ts';
import type { Network } from '../network/network.ts';
import type { NetworkRequest } from '../network/network-catalog.ts';
import type { Exchange } from './exchange.ts';
import { Filters } from './filters.ts';
import { networkInspectView, networkView } from './network-view.ts';
import type { Route } from './router.ts';
import { parseTime } from './timestamps.ts';

/** Networks: create, look at, let containers in and out, remove. */
export function networkRoutes(engine: Engine): Route[] {
  const find = (exchange: Exchange) => engine.networks.catalog.find(exchange.params.id!, exchange.access);
  return [
    { method: 'GET', pattern: '/networks', handler: (exchange) => list(engine, exchange) },
    { method: 'POST', pattern: '/networks/create', handler: (exchange) => create(engine, exchange) },
    { method: 'POST', pattern: '/networks/prune', handler: (exchange) => prune(engine, exchange) },
    {
      method: 'GET',
      pattern: '/networks/{id}',
      handler: (exchange) => inspect(engine, find(exchange), exchange),
    },
    {
      method: 'POST',
      pattern: '/networks/{id}/connect',
      handler: (exchange) => connect(engine, find(exchange), exchange),
    },
    {
      method: 'POST',
      pattern: '/networks/{id}/disconnect',
      handler: (exchange) => disconnect(engine, find(exchange), exchange),
    },
    {
      method: 'DELETE',
      pattern: '/networks/{id}',
      handler: (exchange) => {
        engine.networks.remove(find(exchange));
        exchange.send(204);
      },
    },
  ];
}

/** Reads the body of `POST /networks/create`. Throws `invalid`, also for what this runtime cannot do. */
export function parseNetworkRequest(body: unknown): NetworkRequest {
  const fields = new RequestFields(body);
  const ipam = fields.object('IPAM');
  const refused = ['EnableIPv6', 'Ingress', 'ConfigOnly', 'ConfigFrom'].find((name) => fields.says(name));
  if (refused) throw new EngineError('invalid', `This runtime does not support ${refused} of a network.`);
  if (!['', 'bridge'].includes(fields.string('Driver'))) {
    throw new EngineError(
      'invalid',
      `could not find plugin ${fields.string('Driver')}: the driver is bridge.`,
    );
  }
  if (!['', 'default'].includes(ipam.string('Driver'))) {
    throw new EngineError('invalid', `could not find IPAM driver ${ipam.string('Driver')}: use default.`);
  }
  return {
    name: fields.string('Name'),
    internal: fields.boolean('Internal'),
    attachable: fields.boolean('Attachable'),
    labels: fields.map('Labels'),
    options: fields.map('Options'),
    ipam: { Driver: 'default', Options: ipam.map('Options'), Config: addressRanges(ipam) },
  };
}

function addressRanges(ipam: RequestFields): Record<string, unknown>[] {
  const ranges = ipam.raw('Config') ?? [];
  if (!Array.isArray(ranges)) throw new EngineError('invalid', 'IPAM.Config must be a list of objects.');
  return ranges.map((range: unknown) => {
    const fields = new RequestFields(range, 'IPAM.Config');
    return Object.fromEntries(
      ['Subnet', 'IPRange', 'Gateway']
        .filter((name) => fields.says(name))
        .map((name) => [name, fields.string(name)]),
    );
  });
}

function list(engine: Engine, exchange: Exchange): void {
  const filters = new Filters(exchange.query.get('filters'));
  filters.allow('dangling', 'driver', 'id', 'label', 'name', 'scope', 'type');
  const found = engine.networks.catalog
    .list(exchange.access)
    .filter((network) => fits(engine, network, filters));
  exchange.send(200, found.map(networkView));
}

function fits(engine: Engine, network: Network, filters: Filters): boolean {
  const isOwn = network.origin !== 'everybody';
  return (
    filters.labels(network.labels) &&
    filters.some('id', (id) => network.id.startsWith(id)) &&
    filters.some('name', (name) => network.name.includes(name)) &&
    filters.some('driver', (driver) => network.driver === driver) &&
    filters.some('scope', (scope) => scope === 'local') &&
    filters.some('type', (type) => type === (isOwn ? 'custom' : 'builtin')) &&
    filters.some(
      'dangling',
      (wanted) => isTrue(wanted) === (isOwn && engine.networks.members(network).length === 0),
    )
  );
}

async function create(engine: Engine, exchange: Exchange): Promise<void> {
  const request = parseNetworkRequest(await exchange.json());
  const network = engine.networks.catalog.create(request, exchange.access);
  engine.networks.publish(network, 'create');
  const Warning =
    network.ipam.Config.length > 0
      ? 'The address range has no effect: all containers have addresses of the platform’s own.'
      : '';
  exchange.send(201, { Id: network.id, Warning });
}

function inspect(engine: Engine, network: Network, exchange: Exchange): void {
  const seen = new Set(engine.list(exchange.access));
  const members = engine.networks.members(network).filter((container) => seen.has(container));
  exchange.send(200, networkInspectView(network, members));
}

async function connect(engine: Engine, network: Network, exchange: Exchange): Promise<void> {
  const { container, fields } = await readMember(engine, exchange);
  await engine.networks.connect(container, network, parseEndpoint(fields.object('EndpointConfig')));
  exchange.send(200);
}

async function disconnect(engine: Engine, network: Network, exchange: Exchange): Promise<void> {
  const { container } = await readMember(engine, exchange);
  await engine.networks.disconnect(container, network);
  exchange.send(200);
}

async function readMember(
  engine: Engine,
  exchange: Exchange,
): Promise<{ container: Container; fields: RequestFields }> {
  const fields = new RequestFields(await exchange.json());
  return { container: engine.find(fields.string('Container'), exchange.access), fields };
}

/** Removes the networks without any container. */
function prune(engine: Engine, exchange: Exchange): void {
  const filters = new Filters(exchange.query.get('filters'));
  filters.allow('label', 'label!', 'until');
  const until = (filters.values('until') ?? []).map((text) => parseTime(text, Date.now()));
  const unused = engine.networks.catalog
    .list(exchange.access)
    .filter(
      (network) =>
        network.origin !== 'everybody' &&
        filters.labels(network.labels) &&
        filters.withoutLabels(network.labels) &&
        until.every((time) => Date.parse(network.created) < time) &&
        engine.networks.members(network).length === 0,
    );
  for (const network of unused) engine.networks.remove(network);
  exchange.send(200, { NetworksDeleted: unused.map(({ name }) => name) });
}

function isTrue(text: string): boolean {
  return ['1', 'true'].includes(text);
}
