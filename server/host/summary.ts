import type { Config, Endpoints } from '../config.ts';

/** What a newcomer reads when the platform is up: where it answers and what to do first. */
export function firstSteps(endpoints: Endpoints, options: { systemd: boolean; config: Config }): string {
  const port = endpoints.ssh.split(':').at(-1);
  const { domain } = options.config;
  const host = domain === 'localhost' ? 'localhost' : domain;
  const lines = [
    '',
    `paas is up.  Apps: http://<app>.${domain}${suffix(endpoints.http)}/   Dashboard: ${endpoints.dashboard}`,
    '',
    `  Your apps:      ssh -p ${port} paas@${host}`,
    `  Sign in (web):  ssh -p ${port} paas@${host} login`,
    `  Deploy an app:  git remote add paas ssh://paas@${host}:${port}/myapp.git`,
    '                  git push paas main',
    '',
  ];
  if (options.systemd && !process.env.INVOCATION_ID) {
    lines.push(
      'It ends with this terminal (the apps go on). For good, also after a reboot: sudo npm start -- install',
      '',
    );
  }
  return lines.join('\n');
}

function suffix(address: string): string {
  const port = address.split(':').at(-1);
  return port === '80' ? '' : `:${port}`;
}
