/** A place that `ssh` reaches. */
export interface Host {
  user: string;
  host: string;
  /** undefined: 22, or what ~/.ssh/config says. */
  port: number | undefined;
}

export interface Remote extends Host {
  name: string;
  app: string;
}

const HOST = String.raw`(?:([A-Za-z0-9._-]+)@)?([A-Za-z0-9][A-Za-z0-9._-]*|\[[0-9A-Fa-f:.]+\])`;
const PATH = String.raw`\/?([a-z][a-z0-9-]*?)(?:\.git)?\/?`;
const SSH_URL = new RegExp(`^ssh://${HOST}(?::(\\d{1,5}))?/${PATH}$`);
const SCP_STYLE = new RegExp(`^${HOST}:${PATH}$`);
const PLAIN_HOST = new RegExp(`^(?:ssh://)?${HOST}(?::(\\d{1,5}))?/?$`);

/** `ssh://paas@example.com:2222/blog` or `paas@example.com:blog`; undefined for what leads to no app. */
export function parseRemote(name: string, url: string): Remote | undefined {
  const long = SSH_URL.exec(url);
  if (long) return { name, ...toHost(long[1], long[2]!, long[3]), app: long[4]! };
  const short = SCP_STYLE.exec(url);
  return short ? { name, ...toHost(short[1], short[2]!, undefined), app: short[3]! } : undefined;
}

/** `example.com`, `paas@example.com:2222` or `ssh://…`: the form of PAAS_HOST. */
export function parseHost(text: string): Host | undefined {
  const match = PLAIN_HOST.exec(text);
  return match ? toHost(match[1], match[2]!, match[3]) : undefined;
}

/** The remotes in the output of `git config --get-regexp '^remote\..*\.url$'`. */
export function parseRemotes(output: string): Remote[] {
  return output.split('\n').flatMap((line) => {
    const match = /^remote\.(.+)\.url (.+)$/.exec(line);
    const remote = match && parseRemote(match[1]!, match[2]!);
    return remote ? [remote] : [];
  });
}

function toHost(user: string | undefined, host: string, port: string | undefined): Host {
  return {
    user: user ?? 'paas',
    host: host.replace(/^\[|\]$/g, ''),
    port: port === undefined ? undefined : Number(port),
  };
}
