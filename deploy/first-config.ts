import { randomBytes } from 'node:crypto';
import type { AppJsonVariable } from '../buildpacks/app-json.ts';
import { checkConfigVars } from './model/config-vars.ts';
import { PaasError } from './model/paas-error.ts';

/** What app.json adds to the config vars of an app before its first release. Throws `invalid` for those that only a person can set. */
export function firstConfig(
  app: string,
  env: Record<string, AppJsonVariable>,
  present: Record<string, string>,
): Record<string, string> {
  const open = Object.entries(env).filter(([name]) => !Object.hasOwn(present, name));
  const missing = open.filter(
    ([, { value, isSecret, required }]) => value === undefined && !isSecret && required,
  );
  if (missing.length > 0) {
    const names = missing.map(([name]) => name);
    throw new PaasError(
      'invalid',
      `app.json requires config vars that are not set: ${names.join(', ')}.\nSet them and push again: paas config:set ${names.map((name) => `${name}=…`).join(' ')} -a ${app}`,
    );
  }
  const added = open.flatMap(([name, { value, isSecret }]) => {
    const chosen = value ?? (isSecret ? randomBytes(SECRET_BYTES).toString('hex') : undefined);
    return chosen === undefined ? [] : [[name, chosen] as const];
  });
  const config = Object.fromEntries(added);
  checkConfigVars(config);
  return config;
}

const SECRET_BYTES = 32;
