import { isIPv4 } from 'node:net';
import { EngineError } from '../../engine-error.ts';
import type { PortRequest, Protocol } from '../../network/traffic.ts';
import type { PortBinding, PortsConfig } from '../container-config.ts';
import { RequestFields } from '../request-fields.ts';

/** The fields of HostConfig that `parsePorts` reads. */
export const PORT_FIELDS = ['PortBindings', 'PublishAllPorts'];

/** Reads which ports of the host lead to the container. Throws `invalid`. */
export function parsePorts(fields: RequestFields): PortsConfig {
  const bindings = fields.object('PortBindings');
  const ports = Object.keys((fields.raw('PortBindings') as object | null) ?? {});
  return {
    PortBindings: Object.fromEntries(
      ports.map((port) => [parsePort(port).text, parseBindings(bindings, port)]),
    ),
    PublishAllPorts: fields.boolean('PublishAllPorts'),
  };
}

/** `80/tcp`, or `80` for the same. Throws `invalid`. */
export function parsePort(text: string): { port: number; protocol: Protocol; text: string } {
  const [, digits, protocol = 'tcp'] = /^(\d{1,5})(?:\/(tcp|udp))?$/.exec(text) ?? [];
  const port = Number(digits);
  if (!digits || port < 1 || port > 0xffff) {
    throw new EngineError('invalid', `"${text}" is not a port: 80/tcp or 53/udp.`);
  }
  return { port, protocol: protocol as Protocol, text: `${port}/${protocol}` };
}

/** The ports of the host that a container is to get at its start; `exposed`: by Config.ExposedPorts. */
export function portRequests(
  { PortBindings, PublishAllPorts }: PortsConfig,
  exposed: string[],
): PortRequest[] {
  const asked = Object.entries(PortBindings).flatMap(([text, bindings]) =>
    bindings.map((binding) => toRequest(text, binding)),
  );
  if (!PublishAllPorts) return asked;
  const others = exposed.map((text) => parsePort(text).text).filter((text) => !PortBindings[text]);
  return [...asked, ...others.map((text) => toRequest(text, ANYWHERE))];
}

const ANYWHERE: PortBinding = { HostIp: '', HostPort: '' };

/** An empty list means any port, as in the Engine API. */
function parseBindings(bindings: RequestFields, port: string): PortBinding[] {
  const list = bindings.raw(port) ?? [];
  if (!Array.isArray(list)) throw new EngineError('invalid', `PortBindings["${port}"] must be a list.`);
  if (list.length === 0) return [ANYWHERE];
  return list.map((item: unknown) => {
    const fields = new RequestFields(item, `PortBindings["${port}"]`);
    const binding = { HostIp: fields.string('HostIp'), HostPort: fields.string('HostPort') };
    if (binding.HostIp !== '' && !isIPv4(binding.HostIp)) {
      throw new EngineError(
        'invalid',
        `"${binding.HostIp}" is not an IPv4 address of the host; containers have no IPv6.`,
      );
    }
    parseRange(binding.HostPort);
    return binding;
  });
}

function toRequest(text: string, { HostIp, HostPort }: PortBinding): PortRequest {
  const { port, protocol } = parsePort(text);
  return { protocol, port, hostAddress: HostIp || '0.0.0.0', hostPorts: parseRange(HostPort) };
}

/** `8080`, `8000-8010`, or empty: any. */
function parseRange(text: string): [number, number] {
  const [, first, last = first] = /^(\d{1,5})(?:-(\d{1,5}))?$/.exec(text || '0') ?? [];
  const [from, to] = [Number(first), Number(last)];
  if (first === undefined || to > 0xffff || from > to || (from === 0 && to > 0)) {
    throw new EngineError('invalid', `"${text}" is not a port of the host: 8080 or 8000-8010.`);
  }
  return [from, to];
}
