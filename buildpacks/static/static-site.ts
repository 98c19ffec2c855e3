import { readFile } from 'node:fs/promises';
import type { BuildPlan } from '../build-plan.ts';
import type { BuildContext, Buildpack } from '../buildpack.ts';
import { nodeStep } from '../nodejs/node-step.ts';
import { chooseNode } from '../nodejs/node-version.ts';
import type { SourceTree } from '../source-tree.ts';
import { systemPath } from '../system-path.ts';

const server = '/usr/local/lib/paas/static-server.mjs';

/** Sites of plain files: index.html at the root, or else in public/, served by a small server of ours (server.js). */
export const staticSite: Buildpack = {
  id: 'static',
  name: 'Static site',
  looksFor: 'index.html or public/index.html',
  detect: (tree) => siteRoot(tree) !== undefined,
  plan: planStaticSite,
};

async function planStaticSite(tree: SourceTree, context: BuildContext): Promise<BuildPlan> {
  const node = await chooseNode(undefined, context);
  return {
    name: 'Static site',
    steps: [
      nodeStep(node, context),
      {
        kind: 'file',
        title: 'Installing the web server for static files',
        path: server,
        content: await readFile(new URL('server.js', import.meta.url), 'utf8'),
        mode: 0o644,
      },
      { kind: 'source' },
    ],
    processes: { web: `node ${server} ${siteRoot(tree)}` },
    env: { NODE_ENV: 'production', PATH: systemPath },
  };
}

function siteRoot(tree: SourceTree): string | undefined {
  if (tree.files.has('index.html')) return '/app';
  return tree.files.has('public/index.html') ? '/app/public' : undefined;
}
