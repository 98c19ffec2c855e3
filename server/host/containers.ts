import { request } from 'node:http';
import { PaasError } from '../../deploy/model/paas-error.ts';

/** Stops and removes all containers behind an Engine API socket, eight at a time. Returns how many. */
export async function removeAllContainers(socketPath: string): Promise<number> {
  const containers = JSON.parse(await call(socketPath, 'GET', '/containers/json?all=1')) as { Id: string }[];
  const waiting = [...containers];
  const removeSome = async () => {
    for (let next = waiting.pop(); next; next = waiting.pop()) {
      await call(socketPath, 'POST', `/containers/${next.Id}/stop?t=10`);
      await call(socketPath, 'DELETE', `/containers/${next.Id}?force=1&v=1`);
    }
  };
  await Promise.all(Array.from({ length: 8 }, removeSome));
  return containers.length;
}

// 304: stopped already. 404: somebody else removed it.
const FINE = new Set([200, 204, 304, 404]);

function call(socketPath: string, method: string, path: string): Promise<string> {
  return new Promise((resolve, reject) => {
    const sent = request({ socketPath, method, path, headers: { host: 'docker' } }, (response) => {
      let body = '';
      response.setEncoding('utf8').on('data', (text: string) => {
        body += text;
      });
      response.on('end', () => {
        if (FINE.has(response.statusCode ?? 0)) resolve(body);
        else reject(new PaasError('unavailable', `The runtime refused ${method} ${path}: ${body.trim()}`));
      });
    });
    sent.on('error', (cause) =>
      reject(new PaasError('unavailable', `The runtime does not answer on "${socketPath}".`, { cause })),
    );
    sent.end();
  });
}
