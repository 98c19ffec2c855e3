// What `--json` prints, command by command: in the words of TypeScript's types, and `time` for a text like 2026-08-10T10:00:00.000Z. What is
// not there is null; only what has a `?` may be missing. docs/commands.md and `COMMAND --help` show it, and a test compares it with what comes.

const FORMATION = '{ type: string, command: string, quantity: number }[]';

const APP = `name: string, state: 'up' | 'idle' | 'starting' | 'crashed' | 'stopped' | 'no release',
  dynos: { running: number, wanted: number }, release: number | null, releasedAt: time | null,
  createdAt: time, url: string`;

const RELEASE = `version: number, description: string, user: string, createdAt: time, commit: string | null,
  build: number | null, current: boolean, pending: boolean, succeeded: boolean, canary: boolean,
  givenUp: boolean, reason: string | null`;

const BUILD = `{
  id: number, app: string, state: 'queued' | 'building' | 'succeeded' | 'failed' | 'cancelled',
  commit: string, user: string, createdAt: time, finishedAt: time | null, reason: string | null,
  release: number | null, ahead: number | null, stages: { name: string, milliseconds: number }[]
}`;

const LOG_LINE = '{ at: time, source: string, dyno: string, text: string }';
const LIMITS = '{ type: string, memory: number, cpu: number | null }[]';
const CONFIG = '{ [NAME]: string }';
const CHANGED_CONFIG = '{ app: string, set: string[], release: number | null }';
const RUN = '{ name: string, command: string, user: string, release: number, since: time }';

const CRON_JOB = `{
  id: string, source: 'app.json' | 'command', schedule: string, command: string,
  concurrency: 'forbid' | 'allow' | 'replace', timeLimit: number, suspended: boolean, next: time | null,
  last: { at: time, dyno: string, status: number | null } | null
}`;

const REDIRECT = '{ hostname: string, to: string, status: number }';

const CERTIFICATES = `{
  hostname: string, kind: 'own' | 'platform' | 'automatic' | 'none' | 'unused',
  certificate: {
    hosts: string[], issuer: string, serialNumber: string, fingerprint: string, notBefore: time, notAfter: time
  } | null,
  problem: string | null, nextOrder: time | null
}[]`;

const HTTPS = '{ redirect: boolean, hsts: number | null }';
const RATE = '{ requests: number, milliseconds: number, burst: number }';

const TRAFFIC = `requests: number, clientErrors: number, serverErrors: number, bytes: number,
    p50: number | null, p95: number | null, p99: number | null`;

const KEY =
  '{ user: string, fingerprint: string, comment: string, createdAt: time, lastUsedAt: time | null }';
const WEBHOOK = 'id: number, url: string, createdBy: string, createdAt: time';

/** By the name of the command; of `logs`, `run:logs` and `events`, the shape of each line. */
export const JSON_SHAPES: Record<string, string> = {
  apps: `{\n  ${APP}\n}[]`,
  'apps:create': `{\n  ${APP}\n}`,
  'apps:info': `{\n  ${APP},\n  formation: ${FORMATION},\n  domains: string[], gitUrl: string\n}`,
  ps: `{
  name: string, type: string, state: 'idle' | 'starting' | 'up' | 'crashed' | 'stopping', since: time,
  command: string, release: number, reason: string | null, crashes: number, restartsAt: time | null
}[]`,
  'ps:scale': FORMATION,
  'ps:idle': '{ idleAfterSeconds: number | null, awakeFor: string[] }',
  'ps:sticky': '{ sticky: boolean }',
  limits: LIMITS,
  'limits:set': LIMITS,
  checks: `{
  type: 'startup' | 'readiness' | 'liveness', name: string, path: string, content: string, status: number | null,
  attempts: number, initialDelay: number, wait: number, timeout: number, source: 'app.json' | 'command'
}[]`,
  'checks:run': '{ dyno: string, check: string, problem: string | null }[]',
  'checks:boot-timeout': '{ bootTimeoutSeconds: number }',
  logs: LOG_LINE,
  config: CONFIG,
  'config:get': CONFIG,
  'config:set': CHANGED_CONFIG,
  'config:import': CHANGED_CONFIG,
  'config:unset': CHANGED_CONFIG.replace('set:', 'unset:'),
  releases: `{\n  ${RELEASE}\n}[]`,
  'releases:info': `{\n  ${RELEASE},\n  image: string, processes: { [TYPE]: string }, config: ${CONFIG}\n}`,
  'releases:rollback': `{\n  ${RELEASE}\n}`,
  'releases:canary': '{ share: number | null, release: number | null, requests: number, failed: number }',
  builds: `${BUILD}[]`,
  'builds:info': BUILD,
  previews: `{
  on: boolean, limit: number | null, ttl: number | null, keys: string[] | null,
  previews: { app: string, branch: string, state: string, url: string, expiresAt: time }[]
}`,
  pipelines: `{
  name: string,
  stages: {
    stage: 'development' | 'staging' | 'production', apps: { app: string, release: number | null }[]
  }[]
}[]`,
  'run:detached': RUN,
  'run:list': `${RUN}[]`,
  'run:logs': LOG_LINE,
  cron: `${CRON_JOB}[]`,
  'cron:add': CRON_JOB,
  domains: `{
  hostname: string, path: string, strip: boolean, passthrough: number | null, builtIn: boolean,
  unicode: string | null
}[]`,
  redirects: `${REDIRECT}[]`,
  'redirects:add': REDIRECT,
  ports: `{
  protocol: 'http' | 'tcp' | 'udp', port: number, type: string, target: number, problem: string | null
}[]`,
  certs: CERTIFICATES,
  'certs:add': CERTIFICATES,
  'certs:info': CERTIFICATES,
  'certs:auto': '{ automatic: boolean }',
  'certs:renew': CERTIFICATES,
  'global-cert': CERTIFICATES,
  'global-cert:add': CERTIFICATES,
  https: HTTPS,
  'https:redirect': HTTPS,
  'https:hsts': HTTPS,
  access: '{ allow: string[] | null }',
  'http-auth': '{ name: string }[]',
  'http-auth:add': '{ name: string, password: string | null }',
  'rate-limit': `${RATE} | null`,
  'rate-limit:set': RATE,
  metrics: `{
  periods: {
    name: string, seconds: number,
    ${TRAFFIC}
  }[],
  minutes: {
    at: time,
    ${TRAFFIC}
  }[]
}`,
  'error-pages': '{ status: number, bytes: number }[]',
  maintenance: '{ maintenance: boolean }',
  keys: `${KEY}[]`,
  'keys:add': KEY,
  'keys:remove': `${KEY}[]`,
  events: '{ id: number, at: time, user: string, app: string | null, action: string, text: string }',
  webhooks: `{ ${WEBHOOK} }[]`,
  'webhooks:add': `{ ${WEBHOOK}, secret?: string }`,
  'webhooks:deliveries': `{
  id: number, webhook: number, action: string, state: 'pending' | 'delivered' | 'failed', createdAt: time,
  attempts: number, nextAt: time | null, status: number | null, reason: string | null
}[]`,
  doctor: `{
  healthy: boolean,
  findings: { name: string, state: 'ok' | 'warning' | 'problem', message: string, advice?: string }[]
}`,
  login: '{ url: string, user: string, expiresInSeconds: number }',
  version: '{ paas: string, json: number }',
};
