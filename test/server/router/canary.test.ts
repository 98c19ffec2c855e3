import assert from 'node:assert/strict';
import { describe, it } from 'mocha';
import type { App } from '../../../server/router/app.ts';
import { canaryCookie, chooseSide } from '../../../server/router/canary.ts';

const app = { name: 'shop' } as App;
const cookie = canaryCookie('shop');
const NAME = cookie.lineFor('12').slice('Set-Cookie: '.length).split('=')[0]!;
const canary = { release: '12', share: 10, app: { name: 'canary' } as App, cookie };
const side = (fields: string, chance?: number) =>
  chooseSide({ head: `GET / HTTP/1.1\r\nHost: shop\r\n${fields}`, app, canary }, chance);

describe('chooseSide()', () => {
  it('sends its share of new visitors to the canary, and lets them come back', () => {
    assert.equal(side('', 0.0999).app, canary.app);
    assert.match(
      side('', 0.0999).setCookie,
      /^Set-Cookie: paas-canary-[0-9a-f]{8}=12; Path=\/; .*HttpOnly.*\r\n$/,
    );
    assert.equal(side('', 0.1).app, app);
    assert.match(side('', 0.1).setCookie, /^Set-Cookie: paas-canary-[0-9a-f]{8}=-12;/);
  });

  it('knows who was here before, wherever the cookie stands', () => {
    for (const fields of [
      `Cookie: ${NAME}=12\r\n`,
      `cookie:${NAME}=12\r\n`,
      `Cookie: a=b; ${NAME}=12; c=d\r\n`,
      `Accept: */*\r\nCookie: a=b;${NAME}=12\r\nX: y\r\n`,
    ]) {
      assert.deepEqual(side(fields, 0.99), { app: canary.app, setCookie: '' }, fields);
    }
    assert.deepEqual(side(`Cookie: ${NAME}=-12\r\n`, 0), { app, setCookie: '' });
  });

  it('chooses anew for what is no cookie of this canary', () => {
    for (const fields of [
      `Cookie: ${NAME}=11\r\n`,
      `Cookie: ${NAME}=123\r\n`,
      // Of another app at the same host.
      canaryCookie('blog').lineFor('12').replace('Set-', ''),
      `Cookie: x${NAME}=12\r\n`,
      `X-Cookie: ${NAME}=12\r\n`,
      `Cookie: a=b\r\nX: ${NAME}=12\r\n`,
    ]) {
      assert.equal(side(fields, 0.99).app, app, fields);
      assert.match(side(fields, 0.99).setCookie, /=-12;/);
    }
  });
});
