import assert from 'node:assert/strict';
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, it } from 'mocha';

const VIEWS = join(import.meta.dirname, '../../../views');

/** What autoescape does not protect, or the policy would block. */
const FORBIDDEN: Record<string, RegExp> = {
  'a value that is not escaped': /\|\s*safe\b|autoescape\s+false/,
  'a value in an attribute without quotes': /\s[\w:-]+=\s*\{\{/,
  'an address that a value begins':
    /(href|src|action)="\{\{(?! (base|asset\(|domain\.url|app\.url if r\/\^https))/,
  'an inline script or style': /<script(?![^>]*\ssrc=)|<style|\sstyle=|\son[a-z]+=|hx-on|js:|javascript:/i,
};

function problemsOf(template: string): string[] {
  return Object.entries(FORBIDDEN).flatMap(([name, pattern]) => (pattern.test(template) ? [name] : []));
}

describe('templates', () => {
  const files = readdirSync(VIEWS, { recursive: true, encoding: 'utf8' }).filter((file) =>
    file.endsWith('.njk'),
  );

  it(`have nothing that escaping does not protect (${files.length} files)`, () => {
    assert.ok(files.length > 20);
    for (const file of files) assert.deepEqual(problemsOf(readFileSync(join(VIEWS, file), 'utf8')), [], file);
  });

  it('problemsOf() catches planted ones', () => {
    const planted = [
      '{{ name | safe }}',
      '<input value={{ name }}>',
      '<a href="{{ link }}">',
      '<script>let a</script>',
      '<p style="color: red">',
      '<p onclick="x()">',
    ];
    for (const template of planted) assert.equal(problemsOf(template).length, 1, template);
  });
});
