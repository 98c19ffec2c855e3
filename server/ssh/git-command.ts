import { parseAppName } from '../../deploy/model/app-name.ts';
import { PaasError } from '../../deploy/model/paas-error.ts';

export interface GitCommand {
  service: 'receive' | 'upload';
  app: string;
}

/** The one answer to every repository that we do not take: it tells nothing about what is wrong with it. */
export const NO_SUCH_REPOSITORY =
  'That is no repository of this server: push to ssh://paas@HOST/APP, where APP has lower-case letters, digits and hyphens.';

/** True for whatever only git would send. */
export function isGitCommand(command: string): boolean {
  return /^\s*git(?:-|\s|$)/.test(command);
}

/**
 * `git-receive-pack 'app.git'`, as git sends it (git-push(1), "The following syntaxes may be used"), and nothing near it:
 * one service, one quoted or bare path, which must be an app's name. Throws `invalid`, always with the same message.
 */
export function parseGitCommand(command: string): GitCommand {
  const match = /^git[- ](receive|upload)-pack (?:'([^'\\]{1,80})'|([^'"\\\s]{1,80}))$/.exec(command);
  const path = /^\/?([a-z0-9-]{1,63})(?:\.git)?\/?$/.exec(match?.[2] ?? match?.[3] ?? '');
  if (!match || !path) throw refusal();
  try {
    return { service: match[1] as GitCommand['service'], app: parseAppName(path[1]!) };
  } catch (error) {
    throw refusal(error);
  }
}

function refusal(cause?: unknown): PaasError {
  return new PaasError('invalid', NO_SUCH_REPOSITORY, { cause });
}
