/** Where `git push` goes: `ssh://paas@example.com:2222/blog`. */
export function pushUrl(address: { host: string; port: number }, app: string): string {
  const port = address.port === 22 ? '' : `:${address.port}`;
  return `ssh://paas@${address.host}${port}/${app}`;
}
