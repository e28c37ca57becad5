import type { IncomingMessage } from 'node:http';
import { Timeout, type Clock } from '../clock.js';
import {
  SessionRefused,
  unguessable,
  type Admittance,
  type Client,
  type Lane,
  type Session,
  type SessionEnd,
  type SharedRefusal,
  type Transport,
} from '../session/index.js';
import type { StreamHeader } from '../upstream/upstream.js';
import { element, NS, Stanza } from '../xml/index.js';
import type { ResolvedOptions } from '../xmpp.options.js';
import { bareOf } from './copies.js';
import { FanOut } from './fan-out.js';
import { runningFeatures, sharableFeatures } from './features.js';
import { Member, type MemberHub } from './member.js';
import { endOf, NOT_FOUND, SharingRefused } from './refusal.js';
import type { SharedRequest } from './request.js';
import { Traffic } from './traffic.js';

/** What a stream needs of those who keep it. */
export interface SharedContext {
  readonly clock: Clock;
  readonly options: ResolvedOptions;
  /** @throws {SessionRefused} */
  open(domain: string, header: StreamHeader, client: Client, http: IncomingMessage | undefined, admittance: Admittance | undefined): Session;
  /** A resource is bound by the client at `address`. */
  bound(address: string): void;
  attached(stream: SharedStream, member: Member): void;
  detached(stream: SharedStream, member: Member, end: SessionEnd): void;
  /** One that had to wait got nothing. */
  refused(stream: SharedStream, member: Member, reason: SharedRefusal): void;
  /** The app's word on a client that has the key. */
  mayAttach(stream: SharedStream, member: Member): boolean;
  /** @throws {SessionRefused} for a key that cannot be one */
  rekey(stream: SharedStream, key: string): void;
  ended(stream: SharedStream): void;
  /** A fault of ours. */
  onError(error: unknown): void;
}

const NO_FEATURES = Stanza.of(element('stream:features', { 'xmlns:stream': NS.streams }));
const ENDED_FOR_ALL: SessionEnd = { reason: 'closed', text: 'ended by another client' };

/**
 * A stream that several clients share: one client to its session, a session to each of its clients.
 *
 * Its creator logs in as if it were alone. When a resource is bound, the clients that wait attach.
 */
export class SharedStream implements Client, MemberHub {
  /** Digest of its key; undefined when that was revoked. */
  digest: string | undefined;

  private readonly waiting: Member[] = [];
  private readonly fanOut: FanOut;
  private readonly linger: Timeout;
  private current: Session | undefined;
  private traffic: Traffic;
  private creator: Member | undefined;
  /** The client that the session shows: the oldest, or the last that was. */
  private face!: Client;
  /** Its creator came over TLS. */
  private secured = false;
  private header: StreamHeader = {};
  private features: Stanza = NO_FEATURES;
  private bound = false;
  /** Bound, and its features known: clients can attach. */
  private ready = false;
  private over: SessionEnd | undefined;
  private numbers = 0;
  /** Milliseconds that it lives without clients, instead of `shared.linger`, until one attaches. */
  private grace: number | undefined;
  private lastEnd: SessionEnd = { reason: 'closed' };
  /** How many clients were told of its end. */
  private told = 0;

  constructor(
    readonly domain: string,
    private readonly context: SharedContext,
  ) {
    this.linger = new Timeout(context.clock, () => this.close(this.lastEnd, this.fanOut.takeBacklog()));
    this.fanOut = new FanOut(context.options, (member, end) => this.evict(member, end), (error) => context.onError(error));
    this.traffic = this.newTraffic();
  }

  // As the session sees it.

  get transport(): Transport {
    return this.face.transport;
  }
  get address(): string {
    return this.face.address;
  }
  get port(): number {
    return this.face.port;
  }
  get secure(): boolean {
    return this.face.secure;
  }
  hasSid(sid: string): boolean {
    return [...this.members].some(({ client }) => client.hasSid?.(sid));
  }

  onOpen(header: StreamHeader): void {
    this.header = header;
    this.creator?.open(header, { result: 'created' });
  }

  onStanza(stanza: Stanza): boolean {
    if (this.bound && !this.ready && stanza.namespace !== NS.streams) this.becomeReady();
    if (stanza.namespace === NS.streams && stanza.name === 'features') this.onFeatures(sharableFeatures(stanza));
    else this.traffic.fromServer(stanza, this.bound ? undefined : this.creator);
    if (!this.bound && this.session?.jid !== undefined) this.onBound(stanza);
    return this.fanOut.takes();
  }

  onDrain(): void {
    this.fanOut.upstreamTakes();
  }

  onEnd(end: SessionEnd): void {
    const promote = !this.bound && end.reason !== 'shutdown';
    this.lastEnd = end;
    this.told = this.fanOut.members.size;
    for (const member of [...this.fanOut.members]) {
      this.remove(member, end);
      if (!member.leaving) this.tell(member, end);
    }
    if (promote) return this.promote();
    this.finish(end);
    for (const member of this.waiting.splice(0)) {
      member.detach();
      this.tell(member, end);
    }
  }

  // As those who keep it see it.

  get session(): Session | undefined {
    return this.current;
  }
  get jid(): string | undefined {
    return this.bound ? this.session?.jid : undefined;
  }
  get upstreamSecure(): boolean {
    return this.session?.upstreamSecure ?? false;
  }
  get isOver(): boolean {
    return this.over !== undefined;
  }
  get clock(): Clock {
    return this.context.clock;
  }
  get maxPending(): number {
    return this.context.options.limits.maxBufferedBytes;
  }
  /** The clients on it, in the order in which they came. */
  get members(): ReadonlySet<Member> {
    return this.fanOut.members;
  }

  /** A client that waits: the first for {@link begin}, the others for the first. */
  join(client: Client, header: StreamHeader, request: SharedRequest): Member {
    const member = new Member(this.numbers + 1, client, header, request, this);
    const reason = this.objection(member);
    if (reason) throw new SharingRefused(reason);
    this.numbers++;
    this.waiting.push(member);
    member.patience.start(Math.min(request.patience ?? Infinity, this.context.options.limits.authTimeout * 1000));
    // A client is never called before it has its session.
    if (this.ready) queueMicrotask(() => this.settle());
    return member;
  }

  /**
   * The oldest client that waits opens the stream.
   * @throws {SessionRefused}
   */
  begin(): void {
    const creator = this.waiting.shift();
    if (!creator) return this.finish(this.lastEnd);
    try {
      this.openFor(creator);
    } catch (error) {
      this.fanOut.members.delete(creator);
      creator.detach();
      throw error;
    }
    for (const stanza of creator.takePending()) creator.send(stanza);
    if (creator.blocked) this.fanOut.unblock(creator);
  }

  /** As {@link begin}, when nobody is there to catch. Those who cannot open one are told why. */
  promote(): void {
    for (;;) {
      const next = this.waiting[0];
      if (!next) return this.finish(this.lastEnd);
      if (next.request.attachOnly) {
        this.turnAway(next, 'unbound');
        continue;
      }
      try {
        return this.begin();
      } catch (error) {
        this.tell(next, endOf(error));
        if (!(error instanceof SessionRefused)) this.context.onError(error);
      }
    }
  }

  /** Nothing comes of it: another node has the key. */
  abandon(): void {
    while (this.waiting[0]) this.turnAway(this.waiting[0], 'no-match');
    this.finish(NOT_FOUND);
  }

  /**
   * A client that logged in for others leaves; the stream waits for them for `ttl` milliseconds.
   * @param undelivered what came for them since
   * @returns false when no resource is bound
   */
  handOver(member: Member, ttl: number, undelivered: readonly Stanza[]): boolean {
    if (!this.bound || member.state !== 'active') return false;
    this.grace = ttl;
    this.left(member, { reason: 'closed' }, undelivered, undefined);
    return true;
  }

  /** Ends one client's part and tells it why. */
  evict(member: Member, end: SessionEnd): void {
    if (member.state === 'gone') return;
    this.left(member, end, [], undefined);
    this.tell(member, end);
  }

  // As its clients see it.

  fromMember(member: Member, stanza: Stanza): boolean {
    const lane = (member.lane ??= this.newLane(member));
    if (lane) lane.take(stanza);
    else this.traffic.fromClient(member, stanza);
    return this.fanOut.takesFrom(member);
  }

  /** Interceptors see what a client sends before the others get a copy of it: what is refused, nobody gets. */
  private newLane(member: Member): Lane | undefined {
    return this.session?.newInboundLane({
      forward: (stanza) => this.traffic.fromClient(member, stanza),
      answer: (error) => this.fanOut.tell(member, error),
      onDrain: () => this.fanOut.unblock(member),
    });
  }

  restartOf(member: Member, header: StreamHeader): void {
    if (!this.bound) return this.session!.restart(header);
    member.open(this.newHeader(), { result: 'attached' });
    this.fanOut.give(member, runningFeatures(this.features));
  }

  drainedAt(member: Member): void {
    this.fanOut.drained(member);
  }

  left(member: Member, end: SessionEnd, undelivered: readonly Stanza[], scope: 'all' | undefined): void {
    if (member.state === 'waiting') {
      this.unqueue(member);
      return member.detach();
    }
    if (end.reason === 'closed' && undelivered.length === 0 && !member.leaving) this.fanOut.read(member);
    if (member.lane?.busy) {
      member.leaving = true;
      return member.lane.whenIdle(() => {
        if (member.state !== 'gone') this.left(member, end, undelivered, scope);
      });
    }
    if (scope === 'all' && this.bound) return this.endForAll(member, end, undelivered);
    const stays = this.fanOut.members.size > 1 || this.waiting.length > 0 || this.lingerTime() > 0;
    const farewell = member.takeFarewell();
    // The last word of one tab is not that of the user (of the last, it is).
    if (farewell && !(stays && this.bound)) this.traffic.forward(member, farewell);
    this.remove(member, end);
    if (this.fanOut.members.size > 0) return;
    this.lastEnd = end;
    if (!this.bound) {
      this.session!.leave(end, undelivered);
      return this.promote();
    }
    const kept = [...member.unread(undelivered), ...this.fanOut.takeBacklog()];
    if (!stays) return this.close(end, kept);
    this.fanOut.keep(kept);
    if (this.waiting.length === 0) this.linger.start(this.lingerTime());
  }

  bounce(member: Member, undelivered: readonly Stanza[]): void {
    // What others had, too, was not lost.
    if (this.over && this.told === 1 && member.state === 'gone') this.session?.bounceAll(this.foreign(member.unread(undelivered)));
  }

  rekey(key: string): void {
    this.context.rekey(this, key);
  }

  lostPatience(member: Member): void {
    if (member.state === 'waiting') this.turnAway(member, 'unbound');
  }

  stuck(member: Member): void {
    this.fanOut.stuck(member);
  }

  stayed(member: Member): void {
    const farewell = member.takeFarewell();
    if (farewell && member.state === 'active') this.traffic.forward(member, farewell);
  }

  // Opening, attaching.

  private openFor(creator: Member): void {
    const { members } = this.fanOut;
    this.traffic.stop();
    this.traffic = this.newTraffic();
    this.header = {};
    this.features = NO_FEATURES;
    this.creator = creator;
    this.face = creator.client;
    this.secured = creator.client.secure;
    members.add(creator);
    creator.activate();
    const { http, admittance } = creator.request;
    this.current = this.context.open(this.domain, creator.header, this, http, admittance);
    this.fanOut.begin(this.current);
  }

  private onFeatures(features: Stanza): void {
    this.features = features;
    if (this.creator) this.fanOut.tell(this.creator, features);
    if (this.bound && !this.ready) this.becomeReady();
  }

  private onBound(by: Stanza): void {
    this.bound = true;
    this.context.bound(this.creator?.client.address ?? this.address);
    // SASL2 binds first and tells the features then (XEP-0388, section 2.6).
    if (by.namespace !== NS.sasl2) this.becomeReady();
  }

  private becomeReady(): void {
    this.ready = true;
    this.settle();
  }

  private settle(): void {
    while (this.ready && this.waiting.length > 0) {
      const member = this.waiting[0]!;
      const reason = this.objection(member);
      if (reason) {
        this.turnAway(member, reason);
        continue;
      }
      this.waiting.shift();
      this.fanOut.inOrder(() => this.attach(member));
    }
  }

  private attach(member: Member): void {
    if (member.state !== 'waiting') return;
    if (!this.ready) return this.turnAway(member, 'no-match');
    member.activate();
    this.linger.stop();
    this.grace = undefined;
    if (this.fanOut.members.size === 0) this.face = member.client;
    this.fanOut.members.add(member);
    this.context.attached(this, member);
    try {
      member.open(this.newHeader(), { result: 'attached', jid: this.jid! });
    } catch (error) {
      this.context.onError(error);
      return this.evict(member, { reason: 'error', condition: 'internal-server-error' });
    }
    this.fanOut.give(member, runningFeatures(this.features));
    this.traffic.joined(member);
    for (const stanza of member.takePending()) member.send(stanza);
    this.fanOut.release();
  }

  /** Why a client that has the key cannot attach; what cannot be said yet is asked again. */
  private objection(member: Member): SharedRefusal | undefined {
    if (member.admitted) return undefined;
    const others = this.fanOut.members.size + this.waiting.filter((other) => other !== member).length;
    if (others >= this.context.options.shared.maxClients) return 'clients';
    // What began protected stays so (XEP-0124, section 19.1).
    if (this.secured && !member.client.secure) return 'insecure';
    if (!this.ready) return undefined;
    const { from } = member.header;
    if (from !== undefined && !sameUser(from, this.jid!)) return 'from';
    member.admitted = true;
    return this.context.mayAttach(this, member) ? undefined : 'guard';
  }

  private unqueue(member: Member): void {
    const index = this.waiting.indexOf(member);
    if (index >= 0) this.waiting.splice(index, 1);
  }

  /** One that waited gets nothing. */
  private turnAway(member: Member, reason: SharedRefusal): void {
    this.unqueue(member);
    member.detach();
    this.context.refused(this, member, reason);
    this.tell(member, NOT_FOUND);
  }

  /** For a client that did not open the stream itself. */
  private newHeader(): StreamHeader {
    return { ...this.header, from: this.domain, id: unguessable(), version: '1.0' };
  }

  // Ending.

  private remove(member: Member, end: SessionEnd): void {
    const { members } = this.fanOut;
    member.detach();
    if (member.lane) this.session?.endInboundLane(member.lane);
    this.fanOut.remove(member);
    if (this.creator === member) this.creator = undefined;
    if (this.face === member.client) for (const { client } of [...members].slice(0, 1)) this.face = client;
    this.traffic.left(member);
    if (this.bound) this.context.detached(this, member, end);
    this.fanOut.release();
  }

  private lingerTime(): number {
    return this.grace ?? this.context.options.shared.linger * 1000;
  }

  private endForAll(leaver: Member, end: SessionEnd, undelivered: readonly Stanza[]): void {
    const others = [...this.fanOut.members].filter((member) => member !== leaver);
    const farewell = leaver.takeFarewell();
    if (farewell) this.traffic.forward(leaver, farewell);
    this.remove(leaver, end);
    const told = [...others, ...this.waiting.splice(0)];
    for (const member of others) this.remove(member, ENDED_FOR_ALL);
    for (const member of told) member.detach();
    this.close(end, others.length === 0 ? leaver.unread(undelivered) : []);
    for (const member of told) this.tell(member, ENDED_FOR_ALL);
  }

  private close(end: SessionEnd, undelivered: readonly Stanza[]): void {
    this.session?.leave(end, this.foreign(undelivered));
    this.finish(end);
  }

  private finish(end: SessionEnd): void {
    if (this.over) return;
    this.over = end;
    this.ready = false;
    this.linger.stop();
    this.traffic.stop();
    this.context.ended(this);
  }

  private tell({ client }: Member, end: SessionEnd): void {
    // Nobody is sent from a protected place to one that is not.
    const unsafe = end.uri !== undefined && client.secure && !/^(wss|https):/.test(end.uri);
    const told: SessionEnd = unsafe ? { reason: end.reason, condition: 'reset' } : end;
    try {
      client.onEnd(told);
    } catch (error) {
      this.context.onError(error);
    }
  }

  /** Without what came from us: copies, and what the user sent to itself. */
  private foreign(stanzas: readonly Stanza[]): Stanza[] {
    const jid = this.session?.jid;
    const bare = jid && bareOf(jid);
    return stanzas.filter((stanza) => {
      const from = stanza.attribute('from');
      return from !== jid && from !== bare;
    });
  }

  private newTraffic(): Traffic {
    return new Traffic(this.domain, this.context, this.fanOut, () => this.current, () => this.waiting.length > 0 || this.lingerTime() > 0);
  }
}

function sameUser(from: string, jid: string): boolean {
  return bareOf(from).normalize('NFKC').toLowerCase() === bareOf(jid).normalize('NFKC').toLowerCase();
}
