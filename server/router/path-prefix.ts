import type { RequestHead } from './request-head.ts';

/** Takes the beginning of the path out of what the dyno sees, and says so in X-Forwarded-Prefix. `target` stays for the log. */
export function stripPrefix(head: RequestHead, prefix: string): void {
  const rest = head.target.slice(prefix.length);
  const target = rest.startsWith('/') ? rest : `/${rest}`;
  const fields = head.text.slice(head.text.indexOf('\r\n') + 2);
  head.text = `${head.method} ${target} HTTP/1.1\r\n${fields}X-Forwarded-Prefix: ${prefix}\r\n`;
}

/** The same page by HTTPS; `port`: the usual one is not said. */
export function secureLocation(head: RequestHead, port: number): string {
  const path = head.target === '*' ? '/' : head.target;
  return `https://${head.host}${port === 443 ? '' : `:${port}`}${path}`;
}

/** Where a redirected visitor goes: the same path; the same scheme and port unless `to` says others. */
export function redirectLocation(head: RequestHead, to: string, scheme: string): string {
  const path = head.target === '*' ? '/' : head.target;
  if (to.includes('://')) return to + path;
  const port = to.includes(':') ? '' : (/\r\nhost:[^\r\n]*?(:\d{1,5})[ \t]*\r\n/i.exec(head.text)?.[1] ?? '');
  return `${scheme}://${to}${port}${path}`;
}
