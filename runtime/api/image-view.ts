import { createHash } from 'node:crypto';
import type { Image } from '../images/image.ts';

/** The answer to `GET /images/{name}/json`. */
export function imageView(image: Image, size: number): object {
  return {
    Id: `sha256:${image.id}`,
    RepoTags: Object.keys(image.tags),
    RepoDigests: [],
    Parent: image.parent ? `sha256:${image.parent}` : '',
    Comment: '',
    Created: image.created,
    DockerVersion: '',
    Author: '',
    Config: image.config,
    Architecture: process.arch === 'x64' ? 'amd64' : process.arch,
    Os: 'linux',
    Size: size,
    GraphDriver: { Name: 'overlay', Data: null },
    RootFS: { Type: 'layers', Layers: image.layers.map(layerDigest) },
    Metadata: { LastTagTime: new Date(Math.max(0, ...Object.values(image.tags))).toISOString() },
  };
}

/** One item of the answer to `GET /images/json`. */
export function imageListView(image: Image, size: number): object {
  return {
    Id: `sha256:${image.id}`,
    ParentId: image.parent ? `sha256:${image.parent}` : '',
    RepoTags: Object.keys(image.tags),
    RepoDigests: [],
    Created: Math.floor(Date.parse(image.created) / 1000),
    Size: size,
    SharedSize: -1,
    Labels: image.config.Labels,
    Containers: -1,
  };
}

/** Layers are named by chance; clients want to see a digest, the same for the same layer. */
function layerDigest(id: string): string {
  return `sha256:${createHash('sha256').update(id).digest('hex')}`;
}
