import { Timeout, type Clock } from '../clock.js';
import type { Client, ClientSession, Lane, SessionEnd, SharedOpening } from '../session/index.js';
import type { StreamHeader } from '../upstream/upstream.js';
import type { Stanza } from '../xml/index.js';
import type { SharedRequest } from './request.js';

/** What a member calls: the stream that it shares. */
export interface MemberHub {
  readonly domain: string;
  readonly jid: string | undefined;
  readonly upstreamSecure: boolean;
  readonly clock: Clock;
  /** Bytes that a member may send before it is known what becomes of it. */
  readonly maxPending: number;
  fromMember(member: Member, stanza: Stanza): boolean;
  restartOf(member: Member, header: StreamHeader): void;
  drainedAt(member: Member): void;
  left(member: Member, end: SessionEnd, undelivered: readonly Stanza[], scope: 'all' | undefined): void;
  bounce(member: Member, undelivered: readonly Stanza[]): void;
  rekey(key: string): void;
  /** It waited as long as it can. */
  lostPatience(member: Member): void;
  /** It did not read for as long as a client may be silent. */
  stuck(member: Member): void;
  /** It said that it is unavailable, and did not leave. */
  stayed(member: Member): void;
}

/** One client of a shared stream: for it, a session like any other. */
export class Member implements ClientSession {
  readonly attachedAt = new Date();
  readonly resumable = false;
  state: 'waiting' | 'active' | 'gone' = 'waiting';
  /** XEP-0352: its page is not looked at. */
  inactive = false;
  /** More waits for it than should. */
  slow = false;
  /** Bytes that came for it since. */
  excess = 0;
  /** It was told to stop sending. */
  blocked = false;
  /** Its stanzas are answered as those of one that was let in: looked at once. */
  admitted = false;
  /** Where the app's interceptors see what it sends, if there are any. */
  lane: Lane | undefined;
  /** It left; what it sent before is still on its lane. */
  leaving = false;
  /** How many stanzas its transport was given. */
  given = 0;
  /** How many of them one has read that was there before it, and has left. */
  readByOthers = 0;
  /** An undirected "unavailable": the last word of a client that leaves, or the user's wish. */
  farewell: Stanza | undefined;

  readonly patience: Timeout;
  readonly slowTimeout: Timeout;
  readonly farewellTimeout: Timeout;
  private pending: Stanza[] = [];
  private pendingBytes = 0;
  private told = false;

  constructor(
    /** In its session, from 1; what `shared:sent` says. */
    readonly number: number,
    readonly client: Client,
    readonly header: StreamHeader,
    readonly request: SharedRequest,
    private readonly hub: MemberHub,
  ) {
    this.patience = new Timeout(hub.clock, () => hub.lostPatience(this));
    this.slowTimeout = new Timeout(hub.clock, () => hub.stuck(this));
    this.farewellTimeout = new Timeout(hub.clock, () => hub.stayed(this));
  }

  get domain(): string {
    return this.hub.domain;
  }

  get jid(): string | undefined {
    return this.state === 'active' ? this.hub.jid : undefined;
  }

  get upstreamSecure(): boolean {
    return this.hub.upstreamSecure;
  }

  send(stanza: Stanza): boolean {
    if (this.state === 'active') return this.hub.fromMember(this, stanza);
    if (this.state === 'gone') return true;
    this.pending.push(stanza);
    this.pendingBytes += stanza.byteLength;
    this.blocked = this.pendingBytes > this.hub.maxPending;
    return !this.blocked;
  }

  restart(header: StreamHeader): void {
    // One that waits is told of its stream soon, and needs no other.
    if (this.state === 'active') this.hub.restartOf(this, header);
  }

  drained(): void {
    this.hub.drainedAt(this);
  }

  leave(end: SessionEnd, undelivered: readonly Stanza[] = [], scope?: 'all'): void {
    if (this.state !== 'gone') this.hub.left(this, end, undelivered, scope);
  }

  bounceAll(undelivered: readonly Stanza[]): void {
    this.hub.bounce(this, undelivered);
  }

  rekey(key: string): void {
    if (this.state === 'active') this.hub.rekey(key);
  }

  // The stream's side.

  activate(): void {
    this.state = 'active';
    this.patience.stop();
  }

  /** The stream is open for it. What became of its wish is told once. */
  open(header: StreamHeader, opening: SharedOpening): void {
    if (this.told) return this.client.onOpen(header);
    this.told = true;
    this.client.onOpen(header, opening);
  }

  /** What it sent while it waited. */
  takePending(): Stanza[] {
    const { pending } = this;
    this.pending = [];
    this.pendingBytes = 0;
    return pending;
  }

  /** Of what its transport never delivered, in order: what nobody else has read either. */
  unread(undelivered: readonly Stanza[]): readonly Stanza[] {
    const recent = Math.max(0, this.given - this.readByOthers);
    return undelivered.length > recent ? undelivered.slice(undelivered.length - recent) : undelivered;
  }

  takeFarewell(): Stanza | undefined {
    const { farewell } = this;
    this.farewell = undefined;
    this.farewellTimeout.stop();
    return farewell;
  }

  /** It has no part in the stream any more. */
  detach(): void {
    this.state = 'gone';
    this.pending = [];
    this.patience.stop();
    this.slowTimeout.stop();
    this.farewellTimeout.stop();
  }
}
