import { EngineError } from '../engine-error.ts';
import type { ImageConfig } from '../images/image.ts';
import type { Endpoint, HostConfig, ProcessConfig } from './container-config.ts';
import type { MountRequest } from './mount-points.ts';
import { parseEndpoints } from './request/endpoint-request.ts';
import { parseHostConfig } from './request/host-request.ts';
import { type Machine, readMachine } from './request/machine.ts';
import { parseMountRequests } from './request/mounts-request.ts';
import { parseProcess } from './request/process-request.ts';
import { RequestFields } from './request-fields.ts';

/** Reads the body of `POST /containers/create` over the image's config. Throws `invalid`, also for what this runtime cannot do. */
export function parseCreateRequest(
  body: unknown,
  image: ImageConfig,
  machine: Machine = readMachine(),
): {
  process: ProcessConfig;
  host: HostConfig;
  asked: Map<string, Endpoint>;
  mounts: { mounts: MountRequest[]; folders: string[]; tmpfs: string[] };
} {
  const fields = new RequestFields(body);
  const refused = ['NetworkDisabled', 'MacAddress'].find((name) => fields.says(name));
  if (refused) throw new EngineError('invalid', `This runtime does not support ${refused} of a container.`);
  const process = parseProcess(fields, image);
  if (process.Entrypoint.length + process.Cmd.length === 0) {
    throw new EngineError('invalid', 'No command specified: neither the request nor the image has one.');
  }
  const host = parseHostConfig(fields.object('HostConfig'), machine);
  const Volumes = { ...image.Volumes, ...fields.set('Volumes') };
  return {
    process: Object.keys(Volumes).length > 0 ? { ...process, Volumes } : process,
    host,
    mounts: {
      mounts: parseMountRequests(fields.object('HostConfig')),
      folders: Object.keys(Volumes),
      tmpfs: Object.keys(host.Tmpfs),
    },
    asked: parseEndpoints(fields.object('NetworkingConfig')),
  };
}
