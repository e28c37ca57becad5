import { SharedConnection } from './client/index.js';
import { inWords, isFinal, isNothingToJoin } from './reasons.js';
import { $iq, $msg, $pres, Strophe } from './strophe.js';
import { Tabs } from './tabs.js';

Strophe.setLogLevel(Strophe.LogLevel.FATAL); // the wire pane shows more than its log, and the console stays clean

const NS = {
  receipts: 'urn:xmpp:receipts', // XEP-0184
  chatstates: 'http://jabber.org/protocol/chatstates', // XEP-0085
  delay: 'urn:xmpp:delay', // XEP-0203
  streams: 'urn:ietf:params:xml:ns:xmpp-streams',
  client: 'jabber:client',
  httpbind: 'http://jabber.org/protocol/httpbind',
};

/** An attempt to connect that takes longer than this has failed. Milliseconds. */
const CONNECT_TIMEOUT = 15_000;
/** The wait before each reconnection, the last one for all that follow. Seconds. */
const BACKOFF = [1, 2, 4, 8, 15, 30];

/** Attempts of a tab without a password to come back, while one that has it may bring the session back. */
const REJOINS = 3;
/** They come so much later than it. Milliseconds. */
const REJOIN_DELAY = 1500;

/**
 * @typedef {object} Contact
 * @property {string} jid bare
 * @property {string} name
 * @property {string} subscription none, to, from or both (RFC 6121); `suggested`: not on the roster
 * @property {boolean} asked our request waits for an answer
 * @property {Map<string, { show: string, status: string }>} resources those online
 * @property {boolean} typing
 * @property {number} unread
 * @property {Message[]} messages
 *
 * @typedef {object} Message
 * @property {string} id
 * @property {'in' | 'out'} direction
 * @property {string} text
 * @property {Date} at
 * @property {'sent' | 'delivered' | 'failed' | 'received'} state
 * @property {string} [error]
 */

/**
 * A chat account on a Strophe connection: roster, presence, one-to-one messages with receipts and chat states, and
 * a connection that comes back. The tabs of a browser can share one XMPP stream (Shared BOSH): each has a Chat, and
 * shows what the others send.
 *
 * Events (CustomEvent, `detail` in brackets): `state` [{ state, text, retryAt }], `contacts`, `request` [bare JID],
 * `message` [{ contact, message }], `change` [{ contact, message }], `typing` [contact], `tabs`.
 */
export class Chat extends EventTarget {
  /** @type {Map<string, Contact>} */
  contacts = new Map();
  /** Bare JIDs that ask to see our presence. @type {Set<string>} */
  requests = new Set();
  state = 'offline';
  jid = '';
  /** Whether other tabs can be on the same stream. */
  isShared = false;

  #connection;
  /** @type {SharedConnection | undefined} */
  #shared;
  #tabs = new Tabs(() => this.#emit('tabs'));
  #account;
  #wasOnline = false;
  #attempt = 0;
  #timer;
  /** @type {import('./reasons.js').Reason} */
  #reason = {};
  #farewell = '';

  /** @param {{ websocket: string, bosh: string }} services paths */
  constructor(services) {
    super();
    this.services = services;
    addEventListener('online', () => this.reconnect());
    addEventListener('pagehide', () => this.#leave());
  }

  get bareJid() {
    return Strophe.getBareJidFromJid(this.jid) ?? '';
  }

  /** Those of this browser; undefined where nobody can know. @type {number | undefined} */
  get otherTabs() {
    return this.#tabs.others;
  }

  /** @param {{ jid: string, password: string, transport: 'ws' | 'bosh', share: boolean }} account */
  connect(account) {
    this.#begin(account);
  }

  /**
   * Joins the session of another tab, where there is one: nothing is asked, and nothing said where there is none.
   * @param {{ jid?: string, transport: 'ws' | 'bosh' }} account without an address: the one used last
   */
  join({ jid, transport }) {
    this.#begin({ jid, transport, share: true });
  }

  #begin(account) {
    this.#account = account;
    this.#wasOnline = false;
    this.#attempt = 0;
    this.jid = account.jid ?? '';
    this.#open();
  }

  /** Of a shared session, only this tab leaves. */
  disconnect() {
    clearTimeout(this.#timer);
    const farewell = this.isShared && this.otherTabs > 0 ? 'Disconnected: your other tabs are still online' : 'Disconnected';
    if (this.#connection?.connected) {
      this.#end(farewell, () => this.#connection.disconnect());
    } else {
      this.#account = undefined;
      this.#drop();
      this.#offline(farewell);
    }
  }

  /** All tabs that share the session. */
  logOutEverywhere() {
    this.#end('Logged out in all tabs', () => this.#shared.logoutAll());
  }

  #end(farewell, act) {
    this.#account = undefined;
    this.#farewell = farewell;
    this.#set('offline', 'Disconnecting …');
    void act();
  }

  /** At once, instead of when the wait is over. */
  reconnect() {
    if (this.state === 'waiting') this.#open();
  }

  #open() {
    clearTimeout(this.#timer);
    this.#drop();
    this.#reason = {};
    this.isShared = false;
    const { jid, password, transport, share } = this.#account;
    const joins = password === undefined;
    // Most pages find no session to join, at once: that is no news.
    if (joins && !this.#wasOnline) this.state = 'connecting';
    else this.#set('connecting', `Connecting over ${this.transportName} …`);
    const service = transport === 'ws' ? `${location.protocol === 'https:' ? 'wss' : 'ws'}://${location.host}${this.services.websocket}` : this.services.bosh;
    const connection = new Strophe.Connection(service);
    this.#connection = connection;
    this.#shared = share ? new SharedConnection(connection) : undefined;
    this.#shared?.onSent((stanza) => connection === this.#connection && this.#onSent(stanza));
    this.#timer = setTimeout(() => this.#failed(), CONNECT_TIMEOUT);
    const onStatus = (status, condition) => {
      if (connection === this.#connection) this.#onStatus(status, condition);
    };
    if (joins) this.#shared.attach(jid, onStatus);
    else connection.connect(jid, password, onStatus);
  }

  /** Leaves the connection, if there is one, without hearing from it again. */
  #drop() {
    const connection = this.#connection;
    this.#connection = undefined;
    connection?.disconnect();
  }

  get transportName() {
    return this.#account?.transport === 'bosh' ? 'BOSH' : 'WebSocket';
  }

  #onStatus(status, condition) {
    const { Status } = Strophe;
    if (status === Status.CONNECTING && this.#account?.password === undefined) {
      this.#set('connecting', `Joining the session of another tab over ${this.transportName} …`);
    } else if (status === Status.AUTHENTICATING) {
      this.#set('connecting', 'Signing in …');
    } else if (status === Status.CONNECTED || status === Status.ATTACHED) {
      this.#online();
    } else if (status === Status.CONNFAIL || status === Status.ERROR) {
      // "No answer" and the like are Strophe's own words; the tap knows better what became of the connection.
      // Of a session that is not there, the plugin does: over WebSocket the stream error has no word for it.
      if (isNothingToJoin({ condition })) this.#reason.condition = condition;
      else if (/^[a-z-]+$/.test(condition ?? '') && condition !== 'unknown') this.#reason.condition ??= condition;
    } else if (status === Status.AUTHFAIL) {
      this.#reason.condition = 'not-authorized';
      this.#failed();
    } else if (status === Status.DISCONNECTED) {
      this.#connection = undefined;
      if (this.#account) this.#failed();
      else this.#offline(this.#farewell);
    }
  }

  #online() {
    clearTimeout(this.#timer);
    const connection = this.#connection;
    const result = this.#shared?.result;
    const attached = result === 'attached';
    this.isShared = attached || result === 'created';
    this.jid = connection.jid;
    this.#account.jid = this.bareJid;
    this.#wasOnline = true;
    this.#attempt = 0;
    connection.addHandler((stanza) => this.#always(() => this.#onMessage(stanza)), null, 'message');
    connection.addHandler((stanza) => this.#always(() => this.#onPresence(stanza)), null, 'presence');
    connection.addHandler((stanza) => this.#always(() => this.#onRosterPush(stanza)), Strophe.NS.ROSTER, 'iq', 'set');
    if (this.isShared) this.#tabs.join(this.jid, !attached);
    this.#set('online', `Online as ${this.bareJid} over ${this.transportName}`);
    connection.sendIQ($iq({ type: 'get' }).c('query', { xmlns: Strophe.NS.ROSTER }), (result) => {
      for (const contact of this.contacts.values()) if (contact.subscription !== 'suggested') contact.subscription = 'none';
      for (const item of result.getElementsByTagName('item')) this.#readItem(item);
      this.#emit('contacts');
    });
    // The presence of all tabs is one: whoever joins comes neither online nor back from being away.
    if (!attached) connection.send($pres());
  }

  /** A handler that returned nothing, or threw, would be gone. */
  #always(handle) {
    handle();
    return true;
  }

  /** The connection, or the attempt, is over and was not meant to be. */
  #failed() {
    clearTimeout(this.#timer);
    const reason = this.#reason;
    const ended = this.isShared && reason.orderly && !reason.condition;
    const joins = this.#account.password === undefined;
    this.#drop();
    this.#clearPresence();
    if (ended || (joins && !this.#wasOnline && isNothingToJoin(reason))) {
      this.#account = undefined;
      this.#offline(ended ? 'Logged out: the session was ended for all tabs' : 'Not connected');
      return;
    }
    const why = inWords(reason);
    const lost = joins && isNothingToJoin(reason) && this.#attempt >= REJOINS;
    if (isFinal(reason) || lost || !this.#wasOnline) {
      this.#account = undefined;
      this.#tabs.leave();
      this.#set('failed', `${this.#wasOnline ? 'Disconnected' : 'Could not connect'}: ${why}`);
      return;
    }
    const seconds = BACKOFF[Math.min(this.#attempt++, BACKOFF.length - 1)];
    // Not all clients of a server that restarts come back in the same instant.
    const wait = seconds * 1000 * (0.8 + 0.4 * Math.random()) + (joins ? REJOIN_DELAY : 0);
    this.#timer = setTimeout(() => this.#open(), wait);
    this.#set('waiting', `Connection lost: ${why}`, Date.now() + wait);
  }

  #offline(text) {
    this.#tabs.leave();
    this.#clearPresence();
    this.contacts.clear();
    this.requests.clear();
    this.#set('offline', text);
    this.#emit('contacts');
  }

  /** What the tap saw: Strophe drops the text of a stream error, and hides failed requests behind its retries. */
  onFrame({ direction, text, loss }) {
    if (!this.#connection) return;
    if (direction === 'in' && text.includes(NS.streams)) {
      const error = new DOMParser().parseFromString(text, 'text/xml').getElementsByTagNameNS(NS.streams, '*');
      for (const part of error) {
        if (part.localName === 'text') this.#reason.text = part.textContent;
        else this.#reason.condition ??= part.localName;
      }
    }
    if (direction === 'in') this.#reason.orderly ||= isOrderlyEnd(text);
    if (loss?.kind === 'closed') this.#reason.code = loss.code;
    if (loss?.kind === 'unreachable') {
      this.#reason.code = loss.code;
      // The request failed before Strophe heard of it: let it, then decide.
      if (this.state === 'connecting') queueMicrotask(() => this.state === 'connecting' && this.#failed());
      else if (this.state === 'online') this.#set('online', 'The server does not answer, trying again …', undefined, 'waiting');
    } else if (direction === 'in' && this.state === 'online' && this.#reason.code !== undefined) {
      this.#reason = {};
      this.#set('online', `Online as ${this.bareJid} over ${this.transportName}`);
    }
  }

  // Contacts

  /** @returns {Contact} */
  contact(jid) {
    let contact = this.contacts.get(jid);
    if (!contact) {
      contact = {
        jid,
        name: Strophe.unescapeNode(Strophe.getNodeFromJid(jid) ?? jid),
        subscription: 'suggested',
        asked: false,
        resources: new Map(),
        typing: false,
        unread: 0,
        messages: [],
      };
      this.contacts.set(jid, contact);
    }
    return contact;
  }

  /** Puts the contact on the roster and asks to see its presence. */
  add(jid) {
    const contact = this.contact(jid);
    this.#connection.sendIQ($iq({ type: 'set' }).c('query', { xmlns: Strophe.NS.ROSTER }).c('item', { jid, name: contact.name }));
    this.#connection.send($pres({ to: jid, type: 'subscribe' }));
    if (this.requests.has(jid)) this.answer(jid, true);
  }

  /** Answers a request to see our presence; who is welcome is asked back. */
  answer(jid, welcome) {
    this.requests.delete(jid);
    this.#connection.send($pres({ to: jid, type: welcome ? 'subscribed' : 'unsubscribed' }));
    const { subscription, asked } = this.contact(jid);
    if (welcome && !asked && subscription !== 'to' && subscription !== 'both') this.add(jid);
    if (!welcome && subscription === 'suggested' && this.contact(jid).messages.length === 0) this.contacts.delete(jid);
    this.#emit('contacts');
  }

  #onRosterPush(stanza) {
    const from = stanza.getAttribute('from');
    if (from && Strophe.getBareJidFromJid(from) !== this.bareJid) return; // RFC 6121, section 2.1.6
    for (const item of stanza.getElementsByTagName('item')) this.#readItem(item);
    this.#connection.send($iq({ type: 'result', id: stanza.getAttribute('id') }));
    this.#emit('contacts');
  }

  #readItem(item) {
    const jid = item.getAttribute('jid');
    const subscription = item.getAttribute('subscription') ?? 'none';
    const contact = this.contact(jid);
    contact.subscription = subscription === 'remove' ? 'suggested' : subscription;
    contact.asked = item.getAttribute('ask') === 'subscribe';
    contact.name = item.getAttribute('name') || contact.name;
  }

  #onPresence(stanza) {
    const from = stanza.getAttribute('from') ?? this.jid;
    const jid = Strophe.getBareJidFromJid(from);
    const resource = Strophe.getResourceFromJid(from) ?? '';
    const type = stanza.getAttribute('type');
    if (jid === this.bareJid) return;
    if (type === 'subscribe') {
      const { subscription, asked } = this.contact(jid);
      if (asked || subscription !== 'suggested') {
        this.answer(jid, true); // a contact of ours: the wish is mutual
      } else {
        this.requests.add(jid);
        this.#emit('request', jid);
      }
    } else if (type === null) {
      this.contact(jid).resources.set(resource, { show: childText(stanza, 'show'), status: childText(stanza, 'status') });
    } else if (type === 'unavailable') {
      const contact = this.contact(jid);
      contact.resources.delete(resource);
      if (resource === '' || contact.resources.size === 0) contact.typing = false;
    }
    this.#emit('contacts');
  }

  #clearPresence() {
    for (const contact of this.contacts.values()) {
      contact.resources.clear();
      contact.typing = false;
    }
    this.#emit('contacts');
  }

  // Messages

  /** @returns {Message} */
  send(contact, text) {
    const id = this.#connection.getUniqueId('chat');
    this.#connection.send(
      $msg({ to: contact.jid, type: 'chat', id }).c('body').t(text).up().c('active', { xmlns: NS.chatstates }).up().c('request', { xmlns: NS.receipts }),
    );
    const message = { id, direction: 'out', text, at: new Date(), state: 'sent' };
    this.#append(contact, message);
    return message;
  }

  /** @param {'composing' | 'paused'} state */
  sendTyping(contact, state) {
    if (this.state !== 'online' || contact.resources.size === 0) return;
    this.#connection.send($msg({ to: contact.jid, type: 'chat' }).c(state, { xmlns: NS.chatstates }));
  }

  #onMessage(stanza) {
    const from = stanza.getAttribute('from');
    const type = stanza.getAttribute('type') ?? 'normal';
    if (!from || type === 'groupchat' || type === 'headline') return;
    const contact = this.contact(Strophe.getBareJidFromJid(from));
    if (type === 'error') return this.#onBounce(contact, stanza);

    const received = child(stanza, 'received', NS.receipts);
    if (received) return this.#update(contact, received.getAttribute('id'), { state: 'delivered' });

    const typing = child(stanza, 'composing', NS.chatstates) !== undefined;
    if (contact.typing !== typing) {
      contact.typing = typing;
      this.#emit('typing', contact);
    }
    const text = childText(stanza, 'body');
    if (text === '') return;
    const id = stanza.getAttribute('id') ?? '';
    if (id && this.#tabs.first && child(stanza, 'request', NS.receipts)) {
      this.#connection.send($msg({ to: from, type }).c('received', { xmlns: NS.receipts, id }));
    }
    const stamp = child(stanza, 'delay', NS.delay)?.getAttribute('stamp');
    this.#append(contact, { id, direction: 'in', text, at: stamp ? new Date(stamp) : new Date(), state: 'received' });
  }

  /** What another tab sent, in the order in which the server got it. */
  #onSent(stanza) {
    const to = Strophe.getBareJidFromJid(stanza.getAttribute('to') ?? '');
    if (!to) return;
    if (stanza.localName === 'presence' && this.requests.delete(to)) this.#emit('contacts'); // answered there
    if (stanza.localName !== 'message' || stanza.getAttribute('type') !== 'chat') return;
    const text = childText(stanza, 'body');
    if (text === '') return;
    this.#append(this.contact(to), { id: stanza.getAttribute('id') ?? '', direction: 'out', text, at: new Date(), state: 'sent' });
  }

  #onBounce(contact, stanza) {
    const condition = stanza.getElementsByTagName('error')[0]?.firstElementChild?.localName ?? 'undefined-condition';
    this.#update(contact, stanza.getAttribute('id'), { state: 'failed', error: condition });
  }

  #append(contact, message) {
    contact.messages.push(message);
    this.#emit('message', { contact, message });
  }

  #update(contact, id, change) {
    const message = contact.messages.find((one) => one.direction === 'out' && one.id === id);
    if (!message) return;
    Object.assign(message, change);
    this.#emit('change', { contact, message });
  }

  /**
   * The page goes away. A WebSocket closes by itself; a BOSH session would stay until its inactivity ends it, and
   * nobody waits for a last request, so a beacon carries it.
   */
  #leave() {
    const { sid, rid } = this.#connection?._proto ?? {};
    if (this.state !== 'online' || !sid) return;
    const presence = `<presence xmlns='${NS.client}' type='unavailable'/>`;
    navigator.sendBeacon(this.services.bosh, `<body xmlns='${NS.httpbind}' sid='${Strophe.xmlescape(sid)}' rid='${rid}' type='terminate'>${presence}</body>`);
  }

  #set(state, text, retryAt, shown = state) {
    this.state = state;
    this.#emit('state', { state: shown, text, retryAt });
  }

  #emit(type, detail) {
    this.dispatchEvent(new CustomEvent(type, { detail }));
  }
}

/** Whether the server ended the stream without an error: for a shared one, everybody was logged out. */
function isOrderlyEnd(text) {
  if (/^<close\b/.test(text)) return true;
  const body = /^<body\b[^>]*>/.exec(text)?.[0] ?? '';
  return /\stype=["']terminate["']/.test(body) && !/\scondition=/.test(body);
}

function child(stanza, name, namespace) {
  return [...stanza.children].find((element) => element.localName === name && element.namespaceURI === namespace);
}

function childText(stanza, name) {
  return [...stanza.children].find((element) => element.localName === name)?.textContent ?? '';
}
