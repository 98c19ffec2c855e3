import { existsSync, readFileSync } from 'node:fs';

/** The base system has the host's bundle of trusted CAs here. */
const BUNDLE = '/etc/ssl/certs/ca-certificates.crt';
const PASSED_ON = [
  'HTTP_PROXY',
  'HTTPS_PROXY',
  'NO_PROXY',
  'http_proxy',
  'https_proxy',
  'no_proxy',
  'PIP_INDEX_URL',
  'PIP_EXTRA_INDEX_URL',
  'PIP_TRUSTED_HOST',
];

/**
 * What build steps with network get of the host's environment: proxies, indexes, npm's settings, and the CAs that the host
 * trusts (a company's proxy has its own).
 */
export function networkEnvironment(
  env: Record<string, string | undefined>,
  npmrc: string,
): Record<string, string> {
  const passed = PASSED_ON.flatMap((name) => (env[name] ? [[name, env[name]]] : []));
  const settings = existsSync(npmrc) ? npmSettings(readFileSync(npmrc, 'utf8')) : {};
  return {
    SSL_CERT_FILE: BUNDLE,
    NODE_EXTRA_CA_CERTS: BUNDLE,
    PIP_CERT: BUNDLE,
    REQUESTS_CA_BUNDLE: BUNDLE,
    CURL_CA_BUNDLE: BUNDLE,
    GIT_SSL_CAINFO: BUNDLE,
    PIP_DISABLE_PIP_VERSION_CHECK: '1',
    npm_config_audit: 'false',
    npm_config_fund: 'false',
    npm_config_update_notifier: 'false',
    ...Object.fromEntries(passed),
    ...settings,
  };
}

/** npm takes any setting as `npm_config_<name>` (npm-config(7)); lists like `ca[]` have no such form. */
function npmSettings(npmrc: string): Record<string, string> {
  const pairs = npmrc.split('\n').flatMap((line) => {
    const match = /^([a-z-]+)=(.*)$/.exec(line);
    return match ? [[`npm_config_${match[1]!.replaceAll('-', '_')}`, match[2]!]] : [];
  });
  return Object.fromEntries(pairs);
}
