import type { Buildpack } from '../buildpack.ts';

/** Apps that bring everything themselves: a Procfile, and programs that run on the base system as it is. */
export const procfile: Buildpack = {
  id: 'procfile',
  name: 'Procfile',
  looksFor: 'Procfile (programs that run on Debian as they are: shell, perl, static binaries)',
  detect: (tree) => tree.files.has('Procfile'),
  plan: async () => ({ name: 'Procfile', steps: [{ kind: 'source' }], processes: {}, env: {} }),
};
