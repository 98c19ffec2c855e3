/** What a pusher reads, in Heroku's shape: sections at column 0, details indented by seven, errors with a mark. */
export const section = (text: string): string => `-----> ${text}\n`;

export const detail = (text: string): string => `       ${text}\n`;

export const problem = (text: string): string =>
  text
    .split('\n')
    .map((line) => ` !     ${line}`.trimEnd())
    .join('\n')
    .concat('\n');
