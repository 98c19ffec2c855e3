import { statSync } from 'node:fs';
import { EngineError } from '../engine-error.ts';
import { createImage, type Image } from './image.ts';
import type { ImageStore } from './image-store.ts';
import type { LayerStore } from './layer-store.ts';

export const BASE_REFERENCE = 'paas/base:debian-12';

/** Makes the folder of the base system known as `paas/base:debian-12`; it stays where it is. Throws `invalid` if it is none. */
export function registerBaseImage(folder: string, stores: { images: ImageStore; layers: LayerStore }): Image {
  const stat = statSync(folder, { throwIfNoEntry: false });
  if (!stat?.isDirectory()) throw new EngineError('invalid', `PAAS_BASE "${folder}" is not a folder.`);
  const image = createImage({
    layers: [stores.layers.link(folder)],
    config: {
      Env: ['PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin', 'LANG=C.UTF-8'],
      Cmd: ['/bin/bash'],
      Entrypoint: [],
      WorkingDir: '/app',
      User: 'app',
      Labels: {},
      ExposedPorts: {},
    },
    parent: undefined,
    created: new Date(Math.floor(stat.mtimeMs)).toISOString(),
  });
  // A start on a full disk has nothing to write.
  if (!isNamed(stores.images, image.id)) stores.images.add(image, BASE_REFERENCE);
  return image;
}

function isNamed(images: ImageStore, id: string): boolean {
  return images.get(id)?.tags[BASE_REFERENCE] !== undefined && images.find(BASE_REFERENCE).id === id;
}
