import packageJson from '../../package.json' with { type: 'json' };

/** Of this checkout: the server's where it runs, the client's on a developer's machine. */
export const VERSION = packageJson.version;
