import assert from 'node:assert/strict';
import { describe, it } from 'mocha';
import { unneededImages } from '../../deploy/build/image-keeper.ts';

const image = (id: string, parent: string, createdAt = 0, tags = [`paas/step:${id}`]) => ({
  ...{ id, parent, createdAt, tags },
});

describe('unneededImages()', () => {
  const ids = (images: ReturnType<typeof image>[], wanted: string[]) =>
    unneededImages(images, new Set(wanted), 100).map(({ id }) => id);

  it('leaves what is wanted, and all that it stands on', () => {
    const images = [image('base', '', 0, ['paas/base:debian-12']), image('npm', 'base'), image('v1', 'npm')];
    assert.deepEqual(ids(images, ['v1']), []);
  });

  it('gives the newest first', () => {
    const images = [image('npm', '', 1), image('v1', 'npm', 2), image('v2', 'npm', 3), image('v3', 'v2', 4)];
    assert.deepEqual(ids(images, ['v1']), ['v3', 'v2']);
  });

  it('leaves what is young, and what is not of our builds', () => {
    const images = [
      image('young', '', 100),
      image('own', '', 0, ['mine:latest']),
      image('untagged', '', 0, []),
    ];
    assert.deepEqual(ids(images, []), []);
  });
});
