import { accessCommands } from './access.ts';
import { appsCommands } from './apps.ts';
import { buildsCommands } from './builds.ts';
import { canaryCommands } from './canary.ts';
import { certsCommands } from './certs.ts';
import { checksCommands } from './checks.ts';
import type { Command } from './command.ts';
import { configCommands } from './config.ts';
import { cronCommands } from './cron.ts';
import { domainsCommands } from './domains.ts';
import { errorPagesCommands } from './error-pages.ts';
import { eventsCommands } from './events.ts';
import { globalCertCommands } from './global-cert.ts';
import { httpAuthCommands } from './http-auth.ts';
import { httpsCommands } from './https.ts';
import { keysCommands } from './keys.ts';
import { limitsCommands } from './limits.ts';
import { logsCommands } from './logs.ts';
import { maintenanceCommands } from './maintenance.ts';
import { metricsCommands } from './metrics.ts';
import { pipelinesCommands } from './pipelines.ts';
import { helpCommand, platformCommands } from './platform-commands.ts';
import { portsCommands } from './ports.ts';
import { previewsCommands } from './previews.ts';
import { psCommands } from './ps.ts';
import { rateLimitCommands } from './rate-limit.ts';
import { redirectsCommands } from './redirects.ts';
import { releasesCommands } from './releases.ts';
import { runCommands } from './run.ts';
import { stickyCommand } from './sticky.ts';
import { webhooksCommands } from './webhooks.ts';

/** Every command, in the order in which help lists them. */
export const commands: Command[] = [
  ...appsCommands,
  ...psCommands,
  stickyCommand,
  ...limitsCommands,
  ...checksCommands,
  ...logsCommands,
  ...configCommands,
  ...releasesCommands,
  ...canaryCommands,
  ...buildsCommands,
  ...previewsCommands,
  ...pipelinesCommands,
  ...runCommands,
  ...cronCommands,
  ...domainsCommands,
  ...redirectsCommands,
  ...portsCommands,
  ...certsCommands,
  ...httpsCommands,
  ...globalCertCommands,
  ...accessCommands,
  ...httpAuthCommands,
  ...rateLimitCommands,
  ...metricsCommands,
  ...errorPagesCommands,
  ...maintenanceCommands,
  ...keysCommands,
  ...eventsCommands,
  ...webhooksCommands,
  ...platformCommands,
  helpCommand(() => commands),
];
