import { type AddressInfo, createServer, type Socket } from 'node:net';
import { setTimeout as sleep } from 'node:timers/promises';
import ssh2, { type AuthContext, type Connection } from 'ssh2';
import type { Platform } from '../../deploy/platform.ts';
import type { Access, Caller, CommandServices, DoctorFinding } from '../commands/command.ts';
import { type Config, paths } from '../config.ts';
import { Admission, DEFAULT_LIMITS, type Limits } from './admission.ts';
import { ensureHostKey } from './host-key.ts';
import { serveSession } from './session.ts';
import { decideSignIn } from './sign-in.ts';
import { refuseDataPastWindow, socketOf } from './ssh2-guards.ts';

export interface SshServerOptions {
  platform: Platform;
  config: Config;
  doctor: () => Promise<DoctorFinding[]>;
  /** e.g. `http://paas.example.com:8080`; asked when a link is printed. */
  dashboardUrl: () => string;
  /** For the operator: what no user should see. */
  log: (message: string, cause?: unknown) => void;
  /** Whether this caller may run commands of this kind; default: every key may do everything. */
  may?: (caller: Caller, access: Access) => boolean;
  limits?: Partial<Limits>;
}

export interface SshServer {
  /** Where it listens; with port 0 in the settings, the free one that was picked. */
  listen(): Promise<{ host: string; port: number }>;
  /** Ends all connections. */
  close(): Promise<void>;
}

/** The front door for git and commands: public keys only, no shell, no forwarding, nothing but our own commands. */
export function createSshServer(options: SshServerOptions): SshServer {
  const { config, platform } = options;
  const limits = { ...DEFAULT_LIMITS, ...options.limits };
  const admission = new Admission(limits);
  let address = config.ssh;
  const services: CommandServices = {
    platform,
    doctor: options.doctor,
    dashboardUrl: options.dashboardUrl,
    sshAddress: () => ({ host: config.domain, port: address.port }),
    may: options.may ?? (() => true),
    log: options.log,
  };
  const ssh = new ssh2.Server(protocolSettings(config, limits));
  ssh.on('connection', (connection) => serveConnection(connection, { services, admission, limits }));
  // Our own listener in front: a connection counts, and its clock runs, from its first packet, not from its SSH banner.
  // Without TCP_NODELAY a push waits 0.3 s for delayed acknowledgements.
  const listener = createServer({ noDelay: true, keepAlive: true }, (socket) => {
    if (admission.admit(socket)) ssh.injectSocket(socket);
  });
  return {
    async listen() {
      await listening(listener, config.ssh);
      address = { host: config.ssh.host, port: (listener.address() as AddressInfo).port };
      return address;
    },
    async close() {
      const closed = new Promise((resolve) => listener.close(resolve));
      admission.closeAll();
      await closed;
    },
  };
}

function protocolSettings(config: Config, limits: Limits): ssh2.ServerConfig {
  return {
    hostKeys: [ensureHostKey(paths(config).hostKey)],
    ident: 'paas',
    keepaliveInterval: limits.keepaliveMilliseconds,
    keepaliveCountMax: 3,
    algorithms: {
      kex: [
        'curve25519-sha256',
        'curve25519-sha256@libssh.org',
        'ecdh-sha2-nistp256',
        'ecdh-sha2-nistp384',
        'ecdh-sha2-nistp521',
      ],
      // The client's order decides. ChaCha20 is what OpenSSH likes best and what is slowest in ssh2: not offered.
      cipher: ['aes128-gcm@openssh.com', 'aes256-gcm@openssh.com', 'aes256-ctr', 'aes128-ctr'],
      hmac: [
        'hmac-sha2-256-etm@openssh.com',
        'hmac-sha2-512-etm@openssh.com',
        'hmac-sha2-256',
        'hmac-sha2-512',
      ],
      // zlib is offered by ssh2 before sign-in, where 34 KB unpack to 34 MB.
      compress: ['none'],
    },
  };
}

interface ConnectionOptions {
  services: CommandServices;
  admission: Admission;
  limits: Limits;
}

function serveConnection(connection: Connection, options: ConnectionOptions): void {
  const { services, admission, limits } = options;
  const socket = socketOf(connection);
  const gone = new AbortController();
  connection.on('error', () => {}); // clients come and go; what a command does about it hangs on `gone`
  connection.on('close', () => gone.abort());
  refuseDataPastWindow(connection, () => socket.destroy());
  let key: Buffer | undefined;
  signIn(connection, { ...options, socket }, (signedIn) => {
    key = signedIn;
  });
  connection.on('ready', () => {
    admission.signedIn(socket);
    const idle = new IdleTimer(limits.idleMilliseconds, () => connection.end());
    connection.on('close', () => idle.stop());
    connection.on('session', (accept, reject) => {
      // Asked anew each time: a key may have been removed while its connection stood.
      const caller = key && services.platform.keys.authenticate(key);
      if (!caller || idle.busy >= limits.channels) return reject();
      const session = accept();
      idle.enter();
      session.on('close', () => idle.leave());
      serveSession(session, { caller, services, socket, connectionGone: gone.signal });
    });
  });
}

function signIn(
  connection: Connection,
  { services, admission, limits, socket }: ConnectionOptions & { socket: Socket },
  onSignedIn: (key: Buffer) => void,
): void {
  const { keys } = services.platform;
  let failures = 0;
  let nones = 0;
  const refuse = async (context: AuthContext, counts: boolean) => {
    if (!counts && nones++ === 0) return context.reject(['publickey']);
    failures += 1;
    await sleep(admission.failed(socket));
    if (failures >= limits.tries) connection.end();
    else context.reject(['publickey']);
  };
  connection.on('authentication', (context) => {
    try {
      const step = decideSignIn(context, keys);
      if (step.answer === 'refuse') return void refuse(context, step.counts);
      if (step.answer === 'welcome') {
        keys.touch(step.caller.fingerprint);
        onSignedIn(step.key);
      }
      context.accept();
    } catch (error) {
      services.log('A sign-in failed unexpectedly.', error);
      socket.destroy();
    }
  });
}

/** Counts open channels and ends a connection that has had none for a while. */
class IdleTimer {
  busy = 0;
  #milliseconds: number;
  #onIdle: () => void;
  #timer: NodeJS.Timeout | undefined;

  constructor(milliseconds: number, onIdle: () => void) {
    this.#milliseconds = milliseconds;
    this.#onIdle = onIdle;
    this.#wait();
  }

  enter(): void {
    this.busy += 1;
    clearTimeout(this.#timer);
  }

  leave(): void {
    this.busy -= 1;
    if (this.busy === 0) this.#wait();
  }

  stop(): void {
    clearTimeout(this.#timer);
  }

  #wait(): void {
    clearTimeout(this.#timer);
    this.#timer = setTimeout(this.#onIdle, this.#milliseconds);
  }
}

function listening(listener: ReturnType<typeof createServer>, { host, port }: Config['ssh']): Promise<void> {
  return new Promise((resolve, reject) => {
    listener.once('error', reject);
    listener.listen({ host, port }, () => {
      listener.off('error', reject);
      resolve();
    });
  });
}
