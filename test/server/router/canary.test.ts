import assert from 'node:assert/strict';
import { describe, it } from 'mocha';
import type { App } from '../../../server/router/app.ts';
import { chooseSide } from '../../../server/router/canary.ts';

const app = { name: 'shop' } as App;
const canary = { release: '12', share: 10, app: { name: 'canary' } as App };
const side = (fields: string, chance?: number) =>
  chooseSide({ head: `GET / HTTP/1.1\r\nHost: shop\r\n${fields}`, app, canary }, chance);

describe('chooseSide()', () => {
  it('sends its share of new visitors to the canary, and lets them come back', () => {
    assert.equal(side('', 0.0999).app, canary.app);
    assert.match(side('', 0.0999).setCookie, /^Set-Cookie: paas-canary=12; Path=\/; .*HttpOnly.*\r\n$/);
    assert.equal(side('', 0.1).app, app);
    assert.match(side('', 0.1).setCookie, /paas-canary=-12;/);
  });

  it('knows who was here before, wherever the cookie stands', () => {
    for (const fields of [
      'Cookie: paas-canary=12\r\n',
      'cookie:paas-canary=12\r\n',
      'Cookie: a=b; paas-canary=12; c=d\r\n',
      'Accept: */*\r\nCookie: a=b;paas-canary=12\r\nX: y\r\n',
    ]) {
      assert.deepEqual(side(fields, 0.99), { app: canary.app, setCookie: '' }, fields);
    }
    assert.deepEqual(side('Cookie: paas-canary=-12\r\n', 0), { app, setCookie: '' });
  });

  it('chooses anew for what is no cookie of this canary', () => {
    for (const fields of [
      'Cookie: paas-canary=11\r\n',
      'Cookie: paas-canary=123\r\n',
      'Cookie: xpaas-canary=12\r\n',
      'X-Cookie: paas-canary=12\r\n',
      'Cookie: a=b\r\nX: paas-canary=12\r\n',
    ]) {
      assert.equal(side(fields, 0.99).app, app, fields);
      assert.match(side(fields, 0.99).setCookie, /=-12;/);
    }
  });
});
