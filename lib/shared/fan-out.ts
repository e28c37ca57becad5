import type { Session, SessionEnd } from '../session/index.js';
import type { Stanza } from '../xml/index.js';
import type { ResolvedOptions } from '../xmpp.options.js';
import type { Member } from './member.js';

const STUCK: SessionEnd = { reason: 'error', condition: 'policy-violation', text: 'does not read' };

/**
 * Hands stanzas to all clients of a stream in one order, and slows everybody down for the slowest of them,
 * but not for ever. The same stanza is the same object for all.
 */
export class FanOut {
  readonly members = new Set<Member>();

  private session: Session | undefined;
  /** What is being handed out comes before whatever follows from it. */
  private posting = false;
  private readonly jobs: (() => void)[] = [];
  /** How many clients do not read. */
  private slow = 0;
  /** The upstream was told to wait. */
  private paused = false;
  private upstreamFull = false;
  /** What came while there was no client. */
  private backlog: Stanza[] = [];
  private backlogBytes = 0;

  constructor(
    private readonly options: ResolvedOptions,
    private readonly evict: (member: Member, end: SessionEnd) => void,
    private readonly onError: (error: unknown) => void,
  ) {}

  /** Another stream; what was told of the last one is over. */
  begin(session: Session): void {
    this.session = session;
    this.paused = this.upstreamFull = false;
  }

  /** For all clients but one. `variants` get another in its place. */
  post(stanza: Stanza, except?: Member, variants?: ReadonlyMap<Member, Stanza>): void {
    if (this.posting) {
      this.jobs.push(() => this.hand(stanza, except, variants));
      return;
    }
    this.posting = true;
    this.hand(stanza, except, variants);
    this.finishJobs();
  }

  /** What a client sent: a copy for the others, then itself for the server. */
  relay(stanza: Stanza, copy: Stanza, sender: Member): void {
    if (this.posting) {
      this.jobs.push(() => this.handOn(stanza, copy, sender));
      return;
    }
    this.posting = true;
    this.handOn(stanza, copy, sender);
    this.finishJobs();
  }

  /** To the server alone. */
  send(stanza: Stanza): void {
    if (this.posting) this.jobs.push(() => this.transmit(stanza));
    else this.transmit(stanza);
  }

  /** For one client, in its turn. */
  tell(member: Member, stanza: Stanza): void {
    if (this.posting) this.jobs.push(() => this.give(member, stanza));
    else this.give(member, stanza);
  }

  /** Does something when it is its turn. */
  inOrder(job: () => void): void {
    if (this.posting) {
      this.jobs.push(job);
      return;
    }
    this.posting = true;
    try {
      job();
    } finally {
      this.finishJobs();
    }
  }

  /** For one client, at once. */
  give(member: Member, stanza: Stanza): void {
    if (member.state !== 'active') return;
    if (member.leaving) {
      if (this.members.size === 1) this.keep([stanza]);
      return;
    }
    let taken: boolean;
    member.given++;
    try {
      taken = member.client.onStanza(stanza);
    } catch (error) {
      this.onError(error);
      return this.evict(member, { reason: 'error', condition: 'internal-server-error' });
    }
    if (taken) return;
    if (!member.slow) {
      member.slow = true;
      member.excess = 0;
      this.slow++;
      member.slowTimeout.start(this.options.bosh.inactivity * 1000);
      this.unblock(member);
    } else if ((member.excess += stanza.byteLength) > this.options.limits.maxBufferedBytes && this.members.size > 1) {
      this.evict(member, STUCK);
    }
  }

  // Slow clients, slow upstream.

  /** Whether the upstream may go on. */
  takes(): boolean {
    if (this.isOpen()) return true;
    this.paused = true;
    return false;
  }

  /**
   * Whether a client may go on. One that does not read keeps the others from sending, but is itself kept by
   * none: over BOSH the requests with which it sends are those with which it reads.
   */
  takesFrom(member: Member): boolean {
    if (this.accepts(member)) return true;
    member.blocked = true;
    return false;
  }

  upstreamTakes(): void {
    this.upstreamFull = false;
    this.release();
  }

  drained(member: Member): void {
    if (!member.slow) return;
    this.recovered(member);
    this.release();
  }

  /** It did not read for as long as it may be silent. Alone it holds up nobody but itself. */
  stuck(member: Member): void {
    if (!member.slow) return;
    if (this.members.size > 1) this.evict(member, STUCK);
    else member.slowTimeout.start(this.options.bosh.inactivity * 1000);
  }

  /** It leaves, and has read all that it was given: what the younger ones were given is among that. */
  read(reader: Member): void {
    for (const member of this.members) if (member.number > reader.number) member.readByOthers = member.given;
  }

  remove(member: Member): void {
    this.members.delete(member);
    if (member.slow) this.recovered(member);
  }

  /** Whoever was told to wait goes on, if nothing else holds it up. */
  release(): void {
    if (this.paused && this.isOpen()) {
      this.paused = false;
      this.session!.drained();
    }
    for (const member of this.members) this.unblock(member);
  }

  unblock(member: Member): void {
    if (!member.blocked || !this.accepts(member)) return;
    member.blocked = false;
    member.client.onDrain();
  }

  // Nobody there.

  /** Keeps what nobody got for the client that comes next. */
  keep(stanzas: readonly Stanza[]): void {
    for (const stanza of stanzas) {
      this.backlog.push(stanza);
      this.backlogBytes += stanza.byteLength;
    }
  }

  takeBacklog(): Stanza[] {
    const { backlog } = this;
    this.backlog = [];
    this.backlogBytes = 0;
    return backlog;
  }

  private hand(stanza: Stanza, except: Member | undefined, variants: ReadonlyMap<Member, Stanza> | undefined): void {
    if (this.members.size === 0 && !except) return this.keep([stanza]);
    for (const member of this.members) {
      if (member !== except) this.give(member, variants?.get(member) ?? stanza);
    }
  }

  private handOn(stanza: Stanza, copy: Stanza, sender: Member): void {
    this.hand(copy, sender, undefined);
    this.transmit(stanza);
  }

  private transmit(stanza: Stanza): void {
    if (!this.session!.forward(stanza)) this.upstreamFull = true;
  }

  private finishJobs(): void {
    try {
      for (let job = this.jobs.shift(); job; job = this.jobs.shift()) job();
    } finally {
      this.posting = false;
    }
  }

  private recovered(member: Member): void {
    member.slow = false;
    member.slowTimeout.stop();
    this.slow--;
  }

  private isOpen(): boolean {
    return this.slow === 0 && this.backlogBytes <= this.options.limits.maxBufferedBytes;
  }

  private accepts(member: Member): boolean {
    return !this.upstreamFull && !member.lane?.full && (member.slow || this.slow === 0);
  }
}
