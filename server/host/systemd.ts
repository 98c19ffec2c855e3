import { existsSync, mkdirSync, readFileSync } from 'node:fs';
import { PaasError } from '../../deploy/model/paas-error.ts';
import type { Address } from '../config.ts';
import { replaceFile } from './files.ts';
import { runProgram, tryProgram } from './program.ts';

const UNIT = 'paas.service';
const UNIT_FILE = `/etc/systemd/system/${UNIT}`;
const SOCKET = 'paas.socket';
const SOCKET_FILE = `/etc/systemd/system/${SOCKET}`;
const SETTINGS_FILE = '/etc/paas/settings.env';

/** Whether this machine was booted with systemd, as sd_booted(3) finds out. */
export function hasSystemd(): boolean {
  return existsSync('/run/systemd/system');
}

/** Whether the process is the one that the unit runs. */
export async function isUnitsProcess(pid: number): Promise<boolean> {
  if (!hasSystemd()) return false;
  const shown = await tryProgram(['systemctl', 'show', '--property=MainPID', '--value', UNIT]);
  return Number(shown.stdout) === pid;
}

/** Stops the unit, so that systemd does not start it again before the next boot. */
export async function stopUnit(): Promise<void> {
  await runProgram('stop the systemd unit', ['systemctl', 'stop', UNIT]);
}

/**
 * Writes the units and, given settings, /etc/paas/settings.env; enables and starts them. The program stays where it is
 * (`checkout`): after `git pull`, `systemctl restart paas` runs the new one. `listens`: the addresses that systemd holds for it.
 */
export async function installUnit(
  checkout: string,
  options: { env: Record<string, string | undefined>; listens: Address[] },
): Promise<void> {
  if (!hasSystemd()) {
    throw new PaasError(
      'unavailable',
      'This machine was not booted with systemd, so that there is nothing to install into. Let its own init run: npm start',
    );
  }
  const settings = settingsText(options.env);
  mkdirSync('/etc/paas', { recursive: true, mode: 0o755 });
  if (settings || !existsSync(SETTINGS_FILE)) replaceFile(SETTINGS_FILE, settings, { mode: 0o600 });
  replaceFile(UNIT_FILE, unitText(checkout, { holdsSockets: options.listens.length > 0 }), { mode: 0o644 });
  replaceFile(SOCKET_FILE, socketText(options.listens), { mode: 0o644 });
  const what = 'install the systemd unit';
  await runProgram(what, ['systemctl', 'daemon-reload']);
  await runProgram(what, ['systemctl', '--quiet', 'enable', UNIT]);
  // A socket's address changes only while nobody has it.
  await runProgram(what, ['systemctl', 'stop', UNIT, SOCKET]);
  await runProgram(what, ['systemctl', 'start', UNIT]);
}

/**
 * The settings of the installed unit, below those of `env`: `stop` and `doctor` in any shell mean that platform, unless the
 * shell's settings name another.
 */
export function withInstalledSettings(
  env: Record<string, string | undefined>,
): Record<string, string | undefined> {
  if (env.PAAS_DATA || env.PAAS_RUN || !existsSync(SETTINGS_FILE)) return env;
  return { ...parseSettings(readFileSync(SETTINGS_FILE, 'utf8')), ...env };
}

/** The lines of `settingsText`, also as people write them: without quotes, with comments. */
export function parseSettings(text: string): Record<string, string> {
  const entries = text
    .split('\n')
    .map((line) => /^\s*([A-Z_]+)=(?:"((?:[^"\\]|\\.)*)"|(.*?))\s*$/.exec(line))
    .filter((match) => match !== null)
    .map((match) => [match[1], match[2]?.replace(/\\(.)/g, '$1') ?? match[3]]);
  return Object.fromEntries(entries);
}

/** The unit file. */
export function unitText(checkout: string, { holdsSockets = true } = {}): string {
  const sockets = holdsSockets ? `${SOCKET}\nRequires=${SOCKET}` : '';
  return `# Written by "npm start -- install"; run that again after moving the checkout.
[Unit]
Description=paas: git push deploys
After=network-online.target nftables.service ${sockets}
Wants=network-online.target

[Service]
EnvironmentFile=-${SETTINGS_FILE}
Environment=HOME=/root
ExecStart=/bin/sh ${quoted(`${checkout}/server/host/bootstrap.sh`)} start
Restart=always
RestartSec=2
# The apps' containers outlive the platform's processes: systemd stops main, main stops the rest.
KillMode=process
TimeoutStopSec=90
# We make the containers' cgroups ourselves.
Delegate=yes
TasksMax=infinity
LimitNOFILE=1048576
OOMPolicy=continue

[Install]
WantedBy=multi-user.target
`;
}

/**
 * The unit of the sockets that the router accepts from: whoever connects while the platform is started anew waits in their queue. They
 * end with `systemctl stop paas`, so that nobody who connects starts it again (systemd.unit(5), StopWhenUnneeded).
 */
export function socketText(listens: Address[]): string {
  return `# Written by "npm start -- install"; run that again after changing PAAS_HTTP or PAAS_HTTPS.
[Unit]
Description=paas: where it serves
StopWhenUnneeded=yes

[Socket]
${listens.map(({ host, port }) => `ListenStream=${host}:${port}\n`).join('')}Backlog=4096
NoDelay=yes
`;
}

// systemd.service(5), "Command lines": double quotes, and % for specifiers.
function quoted(path: string): string {
  return `"${path.replaceAll('%', '%%').replace(/[\\"]/g, '\\$&')}"`;
}

/** The PAAS_* settings and REDIS_URL as lines of an EnvironmentFile (systemd.exec(5)). */
export function settingsText(env: Record<string, string | undefined>): string {
  return Object.entries(env)
    .filter(([key, value]) => value !== undefined && (key.startsWith('PAAS_') || key === 'REDIS_URL'))
    .map(([key, value]) => `${key}="${value?.replace(/[\\"]/g, '\\$&')}"\n`)
    .join('');
}
