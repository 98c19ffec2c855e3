import assert from 'node:assert/strict';
import { describe, it } from 'mocha';
import { parseProcfile } from '../../buildpacks/procfile.ts';

describe('parseProcfile()', () => {
  const accepted: [title: string, text: string, commands: Record<string, string>][] = [
    [
      'types and commands',
      'web: npm start\nworker: node w.js --a:b\n',
      { web: 'npm start', worker: 'node w.js --a:b' },
    ],
    ['no space after the colon', 'web:node .', { web: 'node .' }],
    ['CRLF, a byte order mark and no end of line', '\uFEFFweb: a\r\nclock: b', { web: 'a', clock: 'b' }],
    ['comments and empty lines', '# web: x\n\n  # y\nweb: a\n', { web: 'a' }],
    ['inline comments', 'web: a # b # c\nworker: a #b', { web: 'a', worker: 'a' }],
    ['# within words and quotes', `web: a#b "c # d" '# "' # e "`, { web: `a#b "c # d" '# "'` }],
    ['escaped quotes', 'web: a \\" # b', { web: 'a \\"' }],
    ['$PORT unexpanded', 'web: ./serve -p $PORT', { web: './serve -p $PORT' }],
    ['a type of 63 characters', `${'a'.repeat(63)}: x`, { ['a'.repeat(63)]: 'x' }],
    ['names of object members', 'constructor: x', { constructor: 'x' }],
    ['nothing', '', {}],
  ];
  for (const [title, text, commands] of accepted) {
    it(`takes ${title}`, () => assert.deepEqual({ ...parseProcfile(text) }, commands));
  }

  const refused: [title: string, text: string, message: RegExp][] = [
    [
      'a type that comes twice',
      'web: a\n\nweb: b',
      /^Procfile, line 3: process type "web" is already declared in line 1\.$/,
    ],
    ['a type that differs in case only', 'web: a\nWeb: b', /line 2: process type "Web" is already declared/],
    ['merge conflict markers', '<<<<<<< HEAD\nweb: a', /line 1: a merge conflict marker/],
    ['the middle of a merge conflict', 'web: a\n=======\nweb: b', /line 2: a merge conflict marker/],
    ['an empty command', 'web:  ', /line 1: "web:" is not of the form "type: command"/],
    ['a command that is a comment', 'web: # later', /line 1: .* is not of the form/],
    ['a line that is no declaration', 'web: a\nnpm start', /line 2: "npm start" is not of the form/],
    ['indented lines', 'web: a \\\n  --b: c', /line 2: .* is not of the form/],
    ['underscores', 'low_worker: a', /"low_worker" is not letters, .*; call it "low-worker"\.$/],
    ['outer hyphens', 'worker-: a', /call it "worker"/],
    ['a type of 64 characters', `${'a'.repeat(64)}: x`, /has 64 characters; at most 63/],
    ['other scripts in a type', 'wéb: x', /is not of the form/],
    ['control characters', 'web: a\x1b[2J', /line 1: the command contains a control character/],
  ];
  for (const [title, text, message] of refused) {
    it(`refuses ${title}`, () =>
      assert.throws(() => parseProcfile(text), { name: 'BuildpackError', message }));
  }
});
