import { EngineError } from '../../engine-error.ts';
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
    CapAdd: fields.strings('CapAdd').map(parseCapability),
    UsernsMode: fields.string('UsernsMode') === 'host' ? 'host' : '',
  };
}

function refuseLoosening(options: string[]): void {
  const refused = options.find((option) => !/^no-new-privileges([:=]true)?$/.test(option));
  if (refused === undefined) return;
  throw new EngineError('invalid', `This runtime does not support HostConfig.SecurityOpt "${refused}".`);
}

function parseCapability(name: string): string {
  const upper = name.toUpperCase();
  if (!/^[A-Z_]{1,40}$/.test(upper))
    throw new EngineError('invalid', `"${name}" is not a capability, e.g. CHOWN.`);
  return upper.startsWith('CAP_') ? upper : `CAP_${upper}`;
}

function requireOneOf(fields: RequestFields, name: string, values: string[]): void {
  const value = fields.string(name);
  if (!values.includes(value))
    throw new EngineError('invalid', `This runtime does not support ${name} "${value}".`);
}
