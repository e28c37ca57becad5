import type { BusHandler, ClusterBus, ClusterNode } from 'nestjs-xmpp';

/** What the nodes of a test have in common: what Redis would know. Faults are in the hands of the test. */
export class MemoryHub {
  readonly handlers = new Map<string, BusHandler>();
  readonly nodes = new Map<string, ClusterNode>();
  readonly claims = new Map<string, string>();
  /** Everything that was published, as it went over the wire. */
  readonly wire: { readonly to: string; readonly frame: Buffer }[] = [];
  /** Decides over each frame: false loses it. */
  carries: (to: string, frame: Buffer) => boolean = () => true;
  down = false;
  /** Identifiers of nodes that stand still: they take everything and do nothing. */
  readonly frozen = new Set<string>();

  bus(): MemoryBus {
    return new MemoryBus(this);
  }

  /** Hands a frame over, whoever wrote it. */
  deliver(to: string, frame: Buffer): void {
    this.handlers.get(to)?.onFrame(frame);
  }

  /** Nobody reaches it any more, or everybody again. It has forgotten nothing, unless told so. */
  turn(down: boolean, forgetful = false): void {
    this.down = down;
    if (forgetful) {
      this.nodes.clear();
      this.claims.clear();
    }
    for (const handler of this.handlers.values()) if (down) handler.onDown(); else handler.onUp();
  }
}

export class MemoryBus implements ClusterBus {
  private id = '';

  constructor(private readonly hub: MemoryHub) {}

  async start(id: string, handler: BusHandler): Promise<void> {
    this.id = id;
    this.hub.handlers.set(id, handler);
    if (!this.hub.down) handler.onUp();
  }

  async publish(to: string, frame: Buffer): Promise<number> {
    this.check();
    this.hub.wire.push({ to, frame });
    const handler = this.hub.handlers.get(to);
    if (handler && !this.hub.frozen.has(to) && this.hub.carries(to, frame)) setImmediate(() => handler.onFrame(frame));
    return handler ? 1 : 0;
  }

  async beat(name: string): Promise<ClusterNode[]> {
    this.check();
    this.hub.nodes.set(this.id, { id: this.id, name });
    return [...this.hub.nodes.values()];
  }

  async leave(): Promise<void> {
    this.check();
    this.hub.nodes.delete(this.id);
  }

  async claim(key: string, _ttl: number, from?: string): Promise<string> {
    this.check();
    const owner = this.hub.claims.get(key);
    if (owner !== undefined && owner !== from) return owner;
    this.hub.claims.set(key, this.id);
    return this.id;
  }

  async release(key: string): Promise<void> {
    this.check();
    if (this.hub.claims.get(key) === this.id) this.hub.claims.delete(key);
  }

  async find(key: string): Promise<string | undefined> {
    this.check();
    return this.hub.claims.get(key);
  }

  async stop(): Promise<void> {
    this.hub.handlers.delete(this.id);
  }

  private check(): void {
    if (this.hub.down || this.hub.frozen.has(this.id)) throw new Error('the bus is down');
  }
}
