import { Timeout, type Clock } from '../clock.js';
import type { Session } from '../session/index.js';
import { element, NS, Stanza } from '../xml/index.js';
import type { ResolvedOptions } from '../xmpp.options.js';
import { bareOf, copyOf, withoutMarks } from './copies.js';
import type { FanOut } from './fan-out.js';
import { sharableAuthentication } from './features.js';
import { Inquiries } from './inquiries.js';
import { IqLedger } from './iq-ledger.js';
import { answerIqNegotiation, answerNegotiation, answerStreamManagement, negotiationOf } from './local-answers.js';
import type { Member } from './member.js';
import { CSI, isStreamManagement } from './namespaces.js';
import { SharedPresence } from './presence.js';
import { Snapshot } from './snapshot.js';

/** Milliseconds after which whoever asked, here or outside, is forgotten; and between two looks. */
const FORGET_AFTER = 300_000;
const SWEEP_INTERVAL = 60_000;
/** Milliseconds after an "unavailable" in which a client that is about to leave has left. */
const FAREWELL = 500;

const ACTIVE = Stanza.of(element('active', { xmlns: CSI }));
const INACTIVE = Stanza.of(element('inactive', { xmlns: CSI }));

interface TrafficContext {
  readonly clock: Clock;
  readonly options: ResolvedOptions;
}

/** What passes between the clients of one stream and the server: who gets what, and under which id. */
export class Traffic {
  private readonly ledger: IqLedger<Member>;
  private readonly inquiries = new Inquiries<Member>();
  private readonly presence = new SharedPresence<Member>();
  private readonly snapshot: Snapshot | undefined;
  private readonly sweep: Timeout;
  private readonly errors: Timeout;
  /** The server was told that nobody looks (XEP-0352). */
  private inactive = false;
  private stopped = false;
  /** RFC 3921's session is there. */
  private established = false;

  constructor(
    private readonly domain: string,
    private readonly context: TrafficContext,
    private readonly fanOut: FanOut,
    private readonly session: () => Session | undefined,
    /** Whether the stream goes on without the clients that are on it. */
    private readonly outlives: () => boolean,
  ) {
    const { clock, options } = context;
    this.ledger = new IqLedger(domain, () => this.jid);
    this.snapshot = options.shared.snapshot ? new Snapshot(options.limits.maxBufferedBytes) : undefined;
    this.sweep = new Timeout(clock, () => this.onSweep());
    this.errors = new Timeout(clock, () => this.onErrors());
  }

  private get jid(): string | undefined {
    return this.session()?.jid;
  }

  // From the server.

  /** @param only the creator, while it negotiates */
  fromServer(stanza: Stanza, only: Member | undefined): void {
    stanza = withoutMarks(stanza);
    switch (stanza.kind) {
      case 'iq':
        return this.iqFromServer(stanza);
      case 'presence':
        this.snapshot?.received(stanza);
        break;
      default:
    }
    if (only && stanza.kind === undefined) this.fanOut.tell(only, stanza);
    else this.fanOut.post(stanza);
  }

  private iqFromServer(iq: Stanza): void {
    const type = iq.attribute('type');
    if (type === 'get' || type === 'set') {
      this.inquire(iq, this.fanOut.members);
      return this.fanOut.post(iq);
    }
    const exchange = this.ledger.answered(iq);
    const asker = exchange?.asker;
    const own = exchange && exchange.id !== exchange.upstreamId ? iq.with({ id: exchange.id }) : iq;
    if (exchange?.silent) {
      if (asker) this.fanOut.tell(asker, own);
      return;
    }
    let variants = this.ledger.foreign(iq, asker);
    if (asker && own !== iq) (variants ??= new Map()).set(asker, own);
    this.fanOut.post(iq, undefined, variants);
  }

  private inquire(iq: Stanza, members: Iterable<Member>): void {
    const id = iq.attribute('id');
    if (id === undefined) return;
    this.inquiries.asked(this.inquirer(iq.attribute('from')), id, members, this.context.clock.now());
    this.armSweep();
  }

  // From a client.

  fromClient(member: Member, stanza: Stanza): void {
    const farewell = member.takeFarewell();
    if (farewell) this.forward(member, farewell); // it did not leave
    switch (stanza.kind) {
      case 'message':
        return this.forward(member, stanza);
      case 'iq':
        return this.iqFromClient(member, stanza);
      case 'presence':
        return this.presenceFromClient(member, stanza);
      default:
        return this.elementFromClient(member, stanza);
    }
  }

  /** To the server, and a copy to the others before. */
  forward(member: Member, stanza: Stanza, upstreamId?: string): void {
    const { jid } = this;
    if (stanza.kind === 'presence') this.noteSent(stanza);
    const sent = upstreamId === undefined ? stanza : stanza.with({ id: upstreamId });
    if (jid === undefined || this.fanOut.members.size < 2) return this.fanOut.send(sent);
    this.fanOut.relay(sent, copyOf(sent, member.number, jid, this.context.options.shared.copies), member);
  }

  private iqFromClient(member: Member, iq: Stanza): void {
    const { clock } = this.context;
    const { jid } = this;
    const type = iq.attribute('type');
    if (type === 'result' || type === 'error') {
      const answer = this.inquiries.answered(member, this.inquirer(iq.attribute('to')), iq, clock.now());
      if (answer) this.fanOut.send(answer);
      return this.armErrors();
    }
    const negotiated = negotiationOf(iq, this.domain);
    if (negotiated && jid !== undefined && (negotiated !== 'session' || this.established)) {
      return this.fanOut.tell(member, answerIqNegotiation(iq, negotiated, jid));
    }
    if (negotiated === 'session') this.established = true;
    const id = this.ledger.ask(member, iq, clock.now(), negotiated !== undefined);
    this.armSweep();
    const alias = id === iq.attribute('id') ? undefined : id;
    if (negotiated) this.fanOut.send(alias === undefined ? iq : iq.with({ id: alias }));
    else this.forward(member, iq, alias);
  }

  private presenceFromClient(member: Member, presence: Stanza): void {
    if (presence.attribute('to') === undefined) {
      const type = presence.attribute('type');
      if (type === 'unavailable' && (this.fanOut.members.size > 1 || this.outlives())) {
        member.farewell = presence;
        return member.farewellTimeout.start(FAREWELL);
      }
      if (type === undefined && this.presence.repeats(member, presence)) return this.replay(member);
    }
    this.forward(member, presence);
  }

  private noteSent(presence: Stanza): void {
    const to = presence.attribute('to');
    const type = presence.attribute('type');
    if (to !== undefined) return this.snapshot?.sent(to, type);
    this.presence.sent(presence);
    if (type === 'unavailable') this.snapshot?.clear();
  }

  /** What is no stanza concerns the stream, and the server alone. */
  private elementFromClient(member: Member, sent: Stanza): void {
    if (sent.namespace === CSI) {
      member.inactive = sent.name === 'inactive';
      return this.updateActivity();
    }
    if (this.jid === undefined) return this.negotiate(member, sent);
    const answer = answerNegotiation(sent);
    if (answer === undefined) this.fanOut.send(sent);
    else if (answer !== 'none') this.fanOut.tell(member, answer);
  }

  private negotiate(member: Member, sent: Stanza): void {
    if (isStreamManagement(sent.namespace)) {
      const answer = answerStreamManagement(sent);
      if (answer !== 'none') this.fanOut.tell(member, answer);
      return;
    }
    if (!sent.is('authenticate', NS.sasl2)) return this.fanOut.send(sent);
    // Bind2 can make a client inactive from the start (XEP-0386, section 5).
    if (sent.children().some((request) => request.name === 'bind' && request.child('inactive', CSI))) {
      member.inactive = this.inactive = true;
    }
    this.fanOut.send(sharableAuthentication(sent));
  }

  // Clients come and go.

  /** Gives a client that attached what it missed. */
  joined(member: Member): void {
    this.replay(member);
    for (const stanza of this.fanOut.takeBacklog()) {
      const type = stanza.kind === 'iq' ? stanza.attribute('type') : undefined;
      if (type === 'get' || type === 'set') this.inquire(stanza, [member]);
      this.fanOut.give(member, stanza);
    }
    this.updateActivity();
  }

  left(member: Member): void {
    this.ledger.forget(member);
    for (const error of this.inquiries.left(member)) this.fanOut.send(error);
    this.armErrors();
    this.updateActivity();
  }

  /** Nothing of it happens any more. */
  stop(): void {
    this.stopped = true;
    this.sweep.stop();
    this.errors.stop();
  }

  private replay(member: Member): void {
    if (this.snapshot) for (const presence of this.snapshot.replay()) this.fanOut.give(member, presence);
  }

  /** Inactive is who is inactive in all tabs. Without any tab, it stays as it was. */
  private updateActivity(): void {
    const { members } = this.fanOut;
    if (members.size === 0) return;
    let inactive = true;
    for (const member of members) inactive &&= member.inactive;
    if (inactive === this.inactive) return;
    this.inactive = inactive;
    this.fanOut.send(inactive ? INACTIVE : ACTIVE);
  }

  /** The server may name itself as the account, or not at all. */
  private inquirer(jid: string | undefined): string {
    const own = this.jid;
    return jid === undefined || (own !== undefined && jid === bareOf(own)) ? '' : jid;
  }

  // Time.

  private armSweep(): void {
    if (!this.sweep.running && !this.stopped) this.sweep.start(SWEEP_INTERVAL);
  }

  private onSweep(): void {
    const then = this.context.clock.now() - FORGET_AFTER;
    this.ledger.sweep(then);
    this.inquiries.sweep(then);
    if (this.ledger.size + this.inquiries.size > 0) this.armSweep();
  }

  private armErrors(): void {
    const { nextDue } = this.inquiries;
    if (nextDue === undefined) this.errors.stop();
    else if (!this.errors.running) this.errors.start(nextDue - this.context.clock.now());
  }

  private onErrors(): void {
    for (const error of this.inquiries.due(this.context.clock.now())) this.fanOut.send(error);
    this.armErrors();
  }
}
