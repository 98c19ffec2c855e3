import type { AppSummary } from '../../deploy/platform.ts';
import type { Caller } from './command.ts';
import { pushUrl } from './push-url.ts';

const SHOWN = 20;

/** What bare `ssh paas@host` prints: who you are, your apps, three next commands. */
export function welcome(
  caller: Caller,
  apps: AppSummary[],
  address: { host: string; port: number },
): string[] {
  const ssh =
    address.port === 22 ? `ssh paas@${address.host}` : `ssh -p ${address.port} paas@${address.host}`;
  const example = apps[0]?.name ?? 'blog';
  return [
    `You are ${caller.user}, by the key ${caller.fingerprint}.`,
    '',
    ...appLines(apps),
    '',
    'Next:',
    `  git push ${pushUrl(address, example)} main`,
    `  ${ssh} logs -t -a ${example}`,
    `  ${ssh} help`,
  ];
}

function appLines(apps: AppSummary[]): string[] {
  if (apps.length === 0) return ['There are no apps yet: the first git push makes one.'];
  const width = Math.max(...apps.slice(0, SHOWN).map((app) => app.name.length));
  const lines = apps
    .slice(0, SHOWN)
    .map((app) => `  ${app.name.padEnd(width)}  ${app.state.padEnd(10)}  ${app.url}`);
  const more = apps.length > SHOWN ? [`  … and ${apps.length - SHOWN} more: \`apps\` lists them.`] : [];
  return ['Apps:', ...lines, ...more];
}
