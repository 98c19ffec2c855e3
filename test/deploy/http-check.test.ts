import assert from 'node:assert/strict';
import { once } from 'node:events';
import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { after, before, describe, it } from 'mocha';
import type { HealthCheck } from '../../buildpacks/health-checks.ts';
import { runHttpCheck } from '../../deploy/formation/http-check.ts';

describe('runHttpCheck()', () => {
  const never = new AbortController().signal;
  const seen: { host: string | undefined }[] = [];
  let server: Server;
  let port: number;

  before(async () => {
    server = createServer((request, response) => {
      seen.push({ host: request.headers.host });
      if (request.url === '/silent') return;
      if (request.url === '/reset') return void request.socket.destroy();
      response.statusCode = Number(request.url!.slice(1)) || 200;
      response.end('all is well');
    });
    server.listen(0, '127.0.0.1');
    await once(server, 'listening');
    port = (server.address() as AddressInfo).port;
  });

  after(() => {
    server.closeAllConnections();
    server.close();
  });

  const ask = (over: Partial<HealthCheck>) => {
    const usual = {
      name: '',
      content: '',
      status: undefined,
      attempts: 1,
      initialDelay: 0,
      wait: 1,
      timeout: 5,
    };
    const target = { address: '127.0.0.1', port, host: 'shop.example.com' };
    return runHttpCheck({ type: 'startup', path: '/', ...usual, ...over }, target, never);
  };

  it("passes a status below 400, and asks for the app's host", async () => {
    for (const path of ['/200', '/204', '/302']) assert.equal(await ask({ path }), undefined);
    assert.equal(seen.at(-1)!.host, 'shop.example.com');
  });

  it('tells any other status', async () => {
    assert.equal(await ask({ path: '/500' }), 'status 500');
    assert.equal(await ask({ path: '/404' }), 'status 404');
    assert.equal(await ask({ path: '/200', status: 201 }), 'status 200');
    assert.equal(await ask({ path: '/404', status: 404 }), undefined);
  });

  it('looks for the content', async () => {
    assert.equal(await ask({ content: 'is well' }), undefined);
    assert.equal(await ask({ content: 'ready' }), 'the page does not contain "ready"');
  });

  it('tells a dyno that does not answer, or hangs up', async () => {
    assert.equal(await ask({ path: '/silent', timeout: 0.1 }), 'no answer within 0.1 s');
    assert.match((await ask({ path: '/reset' }))!, /hang up|ECONNRESET/);
  });
});
