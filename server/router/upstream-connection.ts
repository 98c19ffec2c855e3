import type { BufferPool } from './buffer-pool.ts';
import { HandleWire } from './handle-wire.ts';
import type { Address, Wire, WireUser } from './wire.ts';

/** Whoever a connection to a dyno works for at the moment: an exchange, or a tunnel. */
export interface UpstreamUser {
  upstreamConnected(): void;
  /** `bytes` are overwritten by the next read. */
  fromUpstream(bytes: Buffer, length: number): void;
  /** The dyno will send nothing more. */
  upstreamEnded(): void;
  upstreamClosed(broken: boolean): void;
  upstreamDrained(): void;
}

/** One connection to a dyno. */
export class UpstreamConnection implements WireUser {
  readonly wire: Wire;
  /** It has carried a request before. */
  reused = false;
  user: UpstreamUser | undefined;
  /** While idle: when it is closed. */
  expires = 0;
  idleSince = 0;

  constructor(address: Address, options: { user: UpstreamUser; buffers: BufferPool }) {
    this.user = options.user;
    this.wire = HandleWire.connect(address, { user: this, pool: options.buffers });
  }

  get isOpen(): boolean {
    return this.wire.open && !this.wire.sending;
  }

  /** Closes it; its user hears nothing more of it. */
  destroy(): void {
    this.user = undefined;
    this.wire.destroy();
  }

  connected(): void {
    this.user?.upstreamConnected();
  }

  read(bytes: Buffer, length: number): void {
    // An idle dyno has nothing to say: what it sends now would be taken for the answer to somebody's next request.
    if (this.user) this.user.fromUpstream(bytes, length);
    else this.destroy();
  }

  ended(): void {
    if (this.user) this.user.upstreamEnded();
    else this.destroy();
  }

  drained(): void {
    this.user?.upstreamDrained();
  }

  closed(broken: boolean): void {
    const { user } = this;
    this.user = undefined;
    user?.upstreamClosed(broken);
  }
}
