/** What is wrong with a value, place by place. */
type Check = (value: unknown, place: string) => string[];

const TIME = /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z$/;

/** Reads a shape as server/commands/json-shapes.ts has them. Throws for what is none. */
export function parseShape(text: string): (value: unknown) => string[] {
  const tokens = text.match(/'[^']*'|\[\]|\w+|\S/g) ?? [];
  const check = union(tokens);
  if (tokens.length > 0) throw new Error(`Not understood: ${tokens.join(' ')}`);
  return (value) => check(value, '$');
}

function union(tokens: string[]): Check {
  const kinds = [list(tokens)];
  for (; tokens[0] === '|'; ) {
    tokens.shift();
    kinds.push(list(tokens));
  }
  return (value, place) => {
    const found = kinds.map((kind) => kind(value, place));
    return found.find(({ length }) => length === 0) ?? found[0]!;
  };
}

function list(tokens: string[]): Check {
  let check = single(tokens);
  for (; tokens[0] === '[]'; ) {
    tokens.shift();
    const item = check;
    check = (value, place) =>
      Array.isArray(value)
        ? value.flatMap((one, index) => item(one, `${place}[${index}]`))
        : [`${place} is no list`];
  }
  return check;
}

function single(tokens: string[]): Check {
  const token = tokens.shift() ?? '';
  if (token === '{') return object(tokens);
  if (token === 'time')
    return (value, place) => (TIME.test(String(value)) ? [] : [`${place} is no time: ${value}`]);
  if (token === 'null') return (value, place) => (value === null ? [] : [`${place} is not null`]);
  if (/^'.*'$/.test(token))
    return (value, place) => (`'${value}'` === token ? [] : [`${place} is not ${token}: ${value}`]);
  if (['string', 'number', 'boolean'].includes(token))
    return (value, place) => (typeof value === token ? [] : [`${place} is no ${token}: ${value}`]);
  throw new Error(`Not understood: ${token} ${tokens.join(' ')}`);
}

function object(tokens: string[]): Check {
  const fields = new Map<string, { check: Check; optional: boolean }>();
  let any: Check | undefined;
  for (let token = tokens.shift(); token !== '}'; token = tokens.shift()) {
    if (token === ',') continue;
    if (token === '[') {
      tokens.splice(0, 3); // NAME ] :
      any = union(tokens);
      continue;
    }
    const optional = tokens[0] === '?';
    tokens.splice(0, optional ? 2 : 1);
    fields.set(token!, { check: union(tokens), optional });
  }
  return (value, place) => {
    if (typeof value !== 'object' || value === null || Array.isArray(value)) return [`${place} is no object`];
    const given = new Map<string, unknown>(Object.entries(value));
    return [
      ...[...fields].flatMap(([name, { check, optional }]) => {
        if (given.has(name)) return check(given.get(name), `${place}.${name}`);
        return optional ? [] : [`${place}.${name} is missing`];
      }),
      ...[...given].flatMap(([name, one]) => {
        if (fields.has(name)) return [];
        return any ? any(one, `${place}.${name}`) : [`${place}.${name} is not in the docs`];
      }),
    ];
  };
}
