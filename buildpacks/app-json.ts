import { BuildpackError } from './buildpack.ts';
import { asObject, parseJson } from './json.ts';

/** What of an app.json the platform uses. */
export interface AppJson {
  /** Process type → how many dynos a new app starts with. */
  formation: Record<string, number>;
}

/** Parses an app.json, with `//` comments; throws `BuildpackError` with the position for broken JSON and for wrong values. */
export function parseAppJson(text: string): AppJson {
  const json = asObject(parseJson(withoutComments(text), 'app.json'));
  const formation = Object.entries(asObject(json.formation)).flatMap(([type, settings]) => {
    const quantity = asObject(settings).quantity;
    if (quantity === undefined) return [];
    if (!Number.isInteger(quantity) || (quantity as number) < 0) {
      throw new BuildpackError(
        `app.json: formation.${type}.quantity is ${JSON.stringify(quantity)}; it must be a whole number, 0 or more.`,
      );
    }
    return [[type, quantity as number]];
  });
  return { formation: Object.fromEntries(formation) };
}

/** Blanks `// …` outside strings, so that positions in error messages stay right. */
function withoutComments(text: string): string {
  return text.replace(/"(?:[^"\\\n]|\\.)*"|\/\/[^\n]*/g, (match) =>
    match.startsWith('"') ? match : ' '.repeat(match.length),
  );
}
