import { EngineError } from '../engine-error.ts';
import type { Image } from '../images/image.ts';
import type { ImageStore } from '../images/image-store.ts';
import { matchesReference } from '../images/reference.ts';
import type { Filters } from './filters.ts';
import { parseTime } from './timestamps.ts';

/** The images that the filters of `GET /images/json` let through, newest first. Throws `invalid`, and `not_found` for `before` and `since`. */
export function listImages(images: ImageStore, filters: Filters, options: { all: boolean }): Image[] {
  filters.allow('reference', 'dangling', 'label', 'before', 'since', 'until');
  const list = images.list();
  const parents = new Set(list.map((image) => image.parent));
  const dangling = booleanFilter(filters, 'dangling');
  const before = timesOf(images, filters.values('before'));
  const since = timesOf(images, filters.values('since'));
  const until = (filters.values('until') ?? []).map((text) => parseTime(text, Date.now()));
  return list.filter((image) => {
    const tagged = Object.keys(image.tags).length > 0;
    const made = Date.parse(image.created);
    return (
      (options.all || tagged || !parents.has(image.id)) &&
      (dangling === undefined || dangling === (!tagged && !parents.has(image.id))) &&
      filters.labels(image.config.Labels) &&
      shownTags(image, filters) !== undefined &&
      [...before, ...until].every((time) => made < time) &&
      since.every((time) => made > time)
    );
  });
}

/** The image's names, those that the filter `reference` asks for; undefined: it has none of them. */
export function shownTags(image: Image, filters: Filters): string[] | undefined {
  const tags = Object.keys(image.tags);
  const wanted = filters.values('reference');
  if (!wanted) return tags;
  const shown = tags.filter((tag) => wanted.some((pattern) => matchesReference(pattern, tag)));
  return shown.length > 0 ? shown : undefined;
}

/** What `POST /images/prune` may take: what `origin` made, without a name, or all of it with `dangling=false`. Throws `invalid`. */
export function prunableImages(images: ImageStore, filters: Filters, origin: 'root' | 'platform'): Image[] {
  filters.allow('dangling', 'label', 'label!', 'until');
  const onlyDangling = booleanFilter(filters, 'dangling') ?? true;
  const until = (filters.values('until') ?? []).map((text) => parseTime(text, Date.now()));
  return images.list().filter((image) => {
    const made = Date.parse(image.created);
    return (
      (image.origin ?? 'platform') === origin &&
      (!onlyDangling || Object.keys(image.tags).length === 0) &&
      filters.labels(image.config.Labels) &&
      filters.withoutLabels(image.config.Labels) &&
      until.every((time) => made < time)
    );
  });
}

function booleanFilter(filters: Filters, name: string): boolean | undefined {
  const [value] = filters.values(name) ?? [];
  if (value === undefined) return undefined;
  if (['1', 'true', 'True', 't', 'T', 'TRUE'].includes(value)) return true;
  if (['0', 'false', 'False', 'f', 'F', 'FALSE'].includes(value)) return false;
  throw new EngineError('invalid', `invalid filter '${name}=[${value}]': true or false`);
}

function timesOf(images: ImageStore, names: string[] | undefined): number[] {
  return (names ?? []).map((name) => Date.parse(images.find(name).created));
}
