import { EngineError } from '../engine-error.ts';
import type { Image } from './image.ts';
import { normalizeReference, repositoryOf } from './reference.ts';

/** A container of an image. */
export interface ImageUser {
  id: string;
  running: boolean;
}

/** What is known of an image that is to be removed. */
export interface RemovalContext {
  image: Image;
  /** As the client named it: by id or by reference. */
  name: string;
  users: ImageUser[];
  force: boolean;
}

/** What a removal does: these names go, and the image itself or not. */
export interface Removal {
  untag: string[];
  remove: boolean;
}

/**
 * Decides as Docker does. By reference: the name goes, and the image with its last name. By id: the image, if all its names
 * are of one repository. What a running container uses is never removed; of a stopped one's only by force.
 * Throws `conflict`.
 */
export function planRemoval(context: RemovalContext): Removal {
  const tags = Object.keys(context.image.tags);
  const reference = referenceIn(tags, context.name);
  if (reference === undefined) return planRemovalById(context, tags);
  if (tags.length > 1) return { untag: [reference], remove: false };
  const [user] = context.users;
  if (user && !context.force) {
    throw conflict(
      `unable to remove repository reference "${context.name}" (must force) - container ${short(user.id)} is using its referenced image ${short(context.image.id)}`,
    );
  }
  return { untag: [reference], remove: !context.users.some(({ running }) => running) };
}

function planRemovalById({ image, users, force }: RemovalContext, tags: string[]): Removal {
  const running = users.find((user) => user.running);
  if (running) {
    throw conflict(
      `unable to delete ${short(image.id)} (cannot be forced) - image is being used by running container ${short(running.id)}`,
    );
  }
  if (!force && new Set(tags.map(repositoryOf)).size > 1) {
    throw conflict(
      `unable to delete ${short(image.id)} (must be forced) - image is referenced in multiple repositories`,
    );
  }
  if (!force && users[0]) {
    throw conflict(
      `unable to delete ${short(image.id)} (must be forced) - image is being used by stopped container ${short(users[0].id)}`,
    );
  }
  return { untag: tags, remove: true };
}

/** Those images above a removed one that have neither name, child nor user: they were only there for it. Nearest first. */
export function abandonedParents(
  removed: Image,
  context: { images: Image[]; isUsed: (image: Image) => boolean },
): Image[] {
  const left = new Map(context.images.map((image) => [image.id, image]));
  left.delete(removed.id);
  const abandoned: Image[] = [];
  for (let parent = parentOf(removed, left); parent; parent = parentOf(parent, left)) {
    const { id, tags } = parent;
    const hasChild = [...left.values()].some((image) => image.parent === id);
    if (Object.keys(tags).length > 0 || hasChild || context.isUsed(parent)) break;
    abandoned.push(parent);
    left.delete(id);
  }
  return abandoned;
}

function parentOf(image: Image, images: Map<string, Image>): Image | undefined {
  return image.parent === undefined ? undefined : images.get(image.parent);
}

function referenceIn(tags: string[], name: string): string | undefined {
  try {
    const reference = normalizeReference(name);
    return tags.find((tag) => tag === reference);
  } catch {
    return undefined;
  }
}

function conflict(message: string): EngineError {
  return new EngineError('conflict', `conflict: ${message}`);
}

function short(id: string): string {
  return id.slice(0, 12);
}
