import packageJson from '../../package.json' with { type: 'json' };

/** Of this checkout: the server's where it runs, the client's on a developer's machine. */
export const VERSION = packageJson.version;

/** Of what `--json` prints: grows when a field goes or changes its meaning. Text has no version and may change. */
export const JSON_VERSION = 1;
