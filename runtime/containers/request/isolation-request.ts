import { EngineError } from '../../engine-error.ts';
import { CAPABILITIES } from '../capabilities.ts';
import type { IsolationConfig } from '../container-config.ts';
import type { RequestFields } from '../request-fields.ts';

const NAMESPACE_FIELDS = ['IpcMode', 'CgroupnsMode', 'PidMode', 'UTSMode'];

/** The fields of HostConfig that `parseIsolation` reads; what is granted anyway, or never, needs no more than that. */
export const ISOLATION_FIELDS = [
  ...[
    'CapAdd',
    'CapDrop',
    'SecurityOpt',
    'MaskedPaths',
    'ReadonlyPaths',
    'Runtime',
    'Isolation',
    'UsernsMode',
  ],
  ...NAMESPACE_FIELDS,
];

/** Reads what a container may do that others may not. Throws `invalid` for what none may. */
export function parseIsolation(fields: RequestFields): IsolationConfig {
  for (const name of NAMESPACE_FIELDS) requireOneOf(fields, name, ['', 'private']);
  requireOneOf(fields, 'UsernsMode', ['', 'private', 'host']);
  requireOneOf(fields, 'Runtime', ['', 'paas']);
  refuseLoosening(fields.strings('SecurityOpt'));
  return {
    CapAdd: addedCapabilities(fields),
    UsernsMode: fields.string('UsernsMode') === 'host' ? 'host' : '',
  };
}

function refuseLoosening(options: string[]): void {
  const refused = options.find((option) => !/^no-new-privileges([:=]true)?$/.test(option));
  if (refused === undefined) return;
  throw new EngineError('invalid', `This runtime does not support HostConfig.SecurityOpt "${refused}".`);
}

/** There are none that need be dropped but of `ALL`: what is added by its name stays, as in Docker (moby, oci/caps). */
function addedCapabilities(fields: RequestFields): string[] {
  const [added, dropped] = ['CapAdd', 'CapDrop'].map((field) =>
    fields.strings(field).map((name) => parseCapability(name, field)),
  ) as [string[], string[]];
  if (!added.includes('ALL')) return added;
  if (fields.string('UsernsMode') === 'host')
    throw new EngineError(
      'invalid',
      'CapAdd "ALL" would be all of the machine with UsernsMode "host": name those that are needed.',
    );
  return CAPABILITIES.filter((name) => !dropped.includes(name));
}

function parseCapability(text: string, field: string): string {
  const upper = text.toUpperCase();
  if (upper === 'ALL') return upper;
  const name = upper.startsWith('CAP_') ? upper : `CAP_${upper}`;
  if (CAPABILITIES.includes(name)) return name;
  throw new EngineError('invalid', `invalid ${field}: unknown capability: "${name}"`);
}

function requireOneOf(fields: RequestFields, name: string, values: string[]): void {
  const value = fields.string(name);
  if (!values.includes(value))
    throw new EngineError('invalid', `This runtime does not support ${name} "${value}".`);
}
