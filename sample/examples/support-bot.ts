import { randomBytes } from 'node:crypto';
import { element, errorAnswer, NS, Stanza, StanzaError } from 'nestjs-xmpp';
import type { Element, UpstreamEnd, UpstreamHandler, UpstreamRequest, UpstreamStream, XmppUpstream } from 'nestjs-xmpp';

const ROSTER = 'jabber:iq:roster';
const LOGIN = element('mechanisms', { xmlns: NS.sasl }, element('mechanism', {}, 'ANONYMOUS'));
const BIND = element('bind', { xmlns: NS.bind });

/** An XMPP server of one contact, `support@domain`: a bot inside the app, for the visitors of its pages. */
export class SupportBot implements XmppUpstream {
  readonly name = 'support-bot';
  constructor(readonly answer: (question: string, visitor: string) => Promise<string>) {}
  open({ domain }: UpstreamRequest, handler: UpstreamHandler): UpstreamStream {
    return new Visit(domain, handler, this.answer);
  }
}

class Visit implements UpstreamStream {
  readonly secure = true; // nothing leaves the process
  private readonly jid: string;
  private readonly bot: string;
  private authenticated = false;
  private ended = false;
  private paused = false;
  private waiting: Stanza[] = [];
  constructor(private readonly domain: string, private readonly handler: UpstreamHandler, private readonly answer: SupportBot['answer']) {
    this.jid = `${randomBytes(8).toString('hex')}@${domain}/page`;
    this.bot = `support@${domain}`;
    this.restart();
  }
  restart(): void {
    this.later(() => this.handler.onOpen({ id: randomBytes(12).toString('hex'), from: this.domain, version: '1.0' }));
    this.later(() => this.give('stream:features', { 'xmlns:stream': NS.streams }, this.authenticated ? BIND : LOGIN));
  }
  send(stanza: Stanza): boolean {
    this.later(() => void this.receive(stanza));
    return true;
  }
  private async receive(stanza: Stanza): Promise<void> {
    this.authenticated ||= stanza.is('auth', NS.sasl);
    if (stanza.is('auth', NS.sasl)) return this.give('success', { xmlns: NS.sasl });
    if (!this.authenticated) return this.end({ reason: 'closed', message: 'spoke before it was authenticated' });
    if (stanza.kind === 'iq') return this.query(stanza);
    const mine = { xmlns: NS.client, from: this.bot, to: this.jid };
    if (stanza.kind === 'presence' && !stanza.attribute('to') && !stanza.attribute('type')) return this.give('presence', mine);
    const question = stanza.kind === 'message' && stanza.child('body')?.text();
    if (!question) return;
    const answer = await this.answer(question, this.jid).catch(() => 'Sorry, something went wrong. Please ask again later.');
    this.give('message', { ...mine, type: 'chat' }, element('body', {}, answer));
  }
  private query(iq: Stanza): void {
    const type = iq.attribute('type');
    const result = (content: Element): void => this.give('iq', { xmlns: NS.client, type: 'result', id: iq.attribute('id') }, content);
    if (type !== 'get' && type !== 'set') return;
    if (iq.child('bind', NS.bind)) return result(element('bind', { xmlns: NS.bind }, element('jid', {}, this.jid)));
    const contact = element('item', { jid: this.bot, name: 'Support', subscription: 'to' });
    if (type === 'get' && iq.child('query', ROSTER)) return result(element('query', { xmlns: ROSTER }, contact));
    this.handOver(errorAnswer(iq, new StanzaError('service-unavailable'))!);
  }
  private give(name: string, attributes: Record<string, string | undefined>, ...content: Element[]): void {
    this.handOver(Stanza.of(element(name, attributes, ...content)));
  }
  private handOver(stanza: Stanza): void {
    if (this.paused) this.waiting.push(stanza);
    else if (!this.ended) this.handler.onStanza(stanza);
  }
  pause = (): void => void (this.paused = true);
  resume(): void {
    for (this.paused = false; !this.paused && this.waiting.length > 0; ) this.handOver(this.waiting.shift()!);
  }
  close = (): void => this.end({ reason: 'closed' });
  abort = (): void => this.end({ reason: 'aborted' });
  private end(end: UpstreamEnd): void {
    this.later(() => ((this.ended = true), this.handler.onEnd(end)));
  }
  private later(what: () => unknown): void {
    queueMicrotask(() => this.ended || what()); // the session is never called while it calls
  }
}
