import { historyOf, type Image } from '../images/image.ts';

/** The last version of the API whose clients read a second size. */
const WITH_VIRTUAL_SIZE = 43;

/** What is known of an image beyond its record. `digests`: of its layers, as far as they were ever computed. */
export interface ImageFacts {
  size: number;
  digests: (string | undefined)[];
  /** Minor version of the API that the client speaks. */
  version: number;
}

/** The answer to `GET /images/{name}/json`. */
export function imageView(image: Image, { size, digests, version }: ImageFacts): object {
  const config = { ...image.config, OnBuild: image.config.OnBuild ?? null };
  return {
    Id: `sha256:${image.id}`,
    RepoTags: Object.keys(image.tags),
    RepoDigests: [],
    Parent: image.parent ? `sha256:${image.parent}` : '',
    Comment: image.comment ?? '',
    Created: image.created,
    DockerVersion: '',
    Author: image.author ?? '',
    Config: config,
    // Left out since version 1.45, but docker-compose 1.29 asks by the newest version, and looks for an image's volumes there.
    ContainerConfig: config,
    Architecture: architecture(),
    Os: 'linux',
    Size: size,
    ...(version <= WITH_VIRTUAL_SIZE ? { VirtualSize: size } : {}),
    GraphDriver: { Name: 'overlay', Data: null },
    // All or none: a list with holes would be taken for the whole.
    RootFS: { Type: 'layers', ...(digests.every((digest) => digest) ? { Layers: digests } : {}) },
    Metadata: { LastTagTime: new Date(Math.max(0, ...Object.values(image.tags))).toISOString() },
  };
}

/** One item of the answer to `GET /images/json`. */
export function imageListView(
  image: Image,
  facts: { size: number; tags: string[]; version: number; containers: number; sharedSize?: number },
): object {
  return {
    Id: `sha256:${image.id}`,
    ParentId: image.parent ? `sha256:${image.parent}` : '',
    RepoTags: facts.tags,
    RepoDigests: [],
    Created: Math.floor(Date.parse(image.created) / 1000),
    Size: facts.size,
    SharedSize: facts.sharedSize ?? -1,
    ...(facts.version <= WITH_VIRTUAL_SIZE ? { VirtualSize: facts.size } : {}),
    Labels: image.config.Labels,
    Containers: facts.containers,
  };
}

/** The answer to `GET /images/{name}/history`, newest first. `sizes`: of the layers, bottom first. */
export function historyView(image: Image, sizes: number[]): object[] {
  const rest = [...sizes];
  const lines = historyOf(image).map((entry) => ({
    Id: '<missing>',
    Created: Math.floor(Date.parse(entry.created) / 1000),
    CreatedBy: entry.created_by,
    Tags: null as string[] | null,
    Size: entry.empty_layer ? 0 : (rest.shift() ?? 0),
    Comment: entry.comment ?? '',
  }));
  const top = lines.at(-1);
  if (top) Object.assign(top, { Id: `sha256:${image.id}`, Tags: Object.keys(image.tags) });
  return lines.reverse();
}

function architecture(): string {
  return process.arch === 'x64' ? 'amd64' : process.arch;
}
