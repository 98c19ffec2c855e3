import type { Container } from '../containers/container.ts';
import type { ContainerFiles } from '../containers/container-files.ts';
import type { Engine } from '../containers/engine.ts';
import type { RootView } from '../containers/kernel.ts';
import { EngineError } from '../engine-error.ts';
import type { FileWorker } from '../files/file-worker.ts';
import { bytesOf, mountFacts, type PathFacts, pathFacts } from '../files/path-facts.ts';
import { budgetFor } from '../images/layer-maker.ts';
import type { Exchange } from './exchange.ts';
import type { Route } from './router.ts';

interface ArchiveParts {
  engine: Engine;
  files: ContainerFiles;
  worker: FileWorker;
}

/** Files of containers: copy in and out, compare, export. */
export function archiveRoutes(parts: ArchiveParts): Route[] {
  const find = (exchange: Exchange) => parts.engine.find(exchange.params.id!, exchange.access);
  const route = (
    method: Route['method'],
    pattern: string,
    handle: (parts: ArchiveParts, container: Container, exchange: Exchange) => Promise<void>,
  ): Route => ({ method, pattern, handler: (exchange) => handle(parts, find(exchange), exchange) });
  return [
    route('HEAD', '/containers/{id}/archive', tellFacts),
    route('GET', '/containers/{id}/archive', copyOut),
    route('PUT', '/containers/{id}/archive', copyIn),
    route('GET', '/containers/{id}/export', exportAll),
    route('GET', '/containers/{id}/changes', listChanges),
  ];
}

async function tellFacts({ files }: ArchiveParts, container: Container, exchange: Exchange): Promise<void> {
  const path = pathOf(exchange);
  const facts = await files.use(container, { writes: false }, async (view) => factsOf(view, path));
  exchange.header('X-Docker-Container-Path-Stat', encodeFacts(facts));
  exchange.send(200);
}

async function copyOut(parts: ArchiveParts, container: Container, exchange: Exchange): Promise<void> {
  const path = pathOf(exchange);
  await parts.files.use(container, { writes: false }, async (view) => {
    const facts = factsOf(view, path);
    exchange.header('X-Docker-Container-Path-Stat', encodeFacts(facts));
    const output = exchange.stream('application/x-tar');
    const where = { path: bytesOf(facts.path), follow: facts.follow, as: bytesOf(facts.name) };
    const job = { layer: false, ...where, ownersFrom: view.ownersFrom };
    await parts.worker.pack(job, { root: view.folder, output, signal: exchange.signal });
    output.end();
  });
}

async function copyIn(parts: ArchiveParts, container: Container, exchange: Exchange): Promise<void> {
  const path = pathOf(exchange);
  await parts.files.use(container, { writes: true }, async (view) => {
    const facts = factsOf(view, `${path}/.`);
    if (!facts.isFolder) throw new EngineError('invalid', `"${path}" in the container is not a folder.`);
    refuseReadOnly(container, mountFacts(view.folder, facts.path));
    const job = {
      ...{ layer: false, path: bytesOf(facts.path), ownersFrom: view.ownersFrom },
      owner: exchange.flag('copyUIDGID') ? parts.engine.userOf(container) : undefined,
      keepKind: exchange.flag('noOverwriteDirNonDir'),
      budget: budgetFor(`/proc/self/fd/${view.folder}`),
    };
    await parts.worker.unpack(job, { root: view.folder, input: exchange.request, signal: exchange.signal });
  });
  exchange.send(200);
}

/** Before anything is written; what is mounted further down says so itself. One that does not run has its root file system writable for us. */
function refuseReadOnly({ config }: Container, at: ReturnType<typeof mountFacts>): void {
  if (at?.mounted === false && config.host.ReadonlyRootfs)
    throw new EngineError('invalid', 'container rootfs is marked read-only');
  if (at?.readOnly) throw new EngineError('invalid', 'mounted volume is marked read-only');
}

/** Without what is mounted into it: that is not the container's own. */
async function exportAll(parts: ArchiveParts, container: Container, exchange: Exchange): Promise<void> {
  await parts.files.use(container, { writes: false, mounts: false }, async (view) => {
    const output = exchange.stream('application/x-tar');
    const where = { path: '', follow: true, as: '' };
    const job = { layer: false, ...where, sameMount: true, ownersFrom: view.ownersFrom };
    await parts.worker.pack(job, { root: view.folder, output, signal: exchange.signal });
    output.end();
  });
}

async function listChanges(
  { files, worker }: ArchiveParts,
  container: Container,
  exchange: Exchange,
): Promise<void> {
  const changes = await files.changes(container, (upper, below) =>
    worker.changes({ root: upper, below, signal: exchange.signal }),
  );
  exchange.send(200, changes);
}

function factsOf(view: RootView, path: string): PathFacts {
  const facts = pathFacts(view.folder, path);
  if (!facts) throw new EngineError('not_found', `Could not find the file ${path} in the container`);
  return facts;
}

/** Throws `invalid`. */
function pathOf(exchange: Exchange): string {
  const path = exchange.query.get('path') ?? '';
  if (path === '' || path.includes('\0'))
    throw new EngineError('invalid', 'The path is missing, or holds a NUL.');
  return path;
}

function encodeFacts({ name, size, mode, mtime, linkTarget }: PathFacts): string {
  return Buffer.from(JSON.stringify({ name, size, mode, mtime, linkTarget })).toString('base64');
}
