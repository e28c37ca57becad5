/** Runs in the page of test/support/tabs.ts: one connection of Strophe with the plugin, driven from outside. */
import * as client from 'nestjs-xmpp/client';
import { Strophe } from 'strophe.js';

const STATUS_NAMES = Object.fromEntries(Object.entries(Strophe.Status).map(([name, value]) => [value, name]));
const serialize = (element) => new XMLSerializer().serializeToString(element);
const parse = (xml) => new DOMParser().parseFromString(xml, 'text/xml').documentElement;
let events = [];

/** The Node side puts them into a list, in this order: many at once, for each call takes its time. */
function report(event) {
  if (events.push(event) === 1) setTimeout(flush, 5);
}

async function flush() {
  const batch = events;
  events = [];
  if (batch.length > 0) await globalThis.reportEvents(batch);
}

const SOURCES = {
  stored: () => new client.StoredKey(),
  private: () => new client.PrivateXmlKey(),
  pep: () => new client.PepKey(),
  fetched: (url) => new client.FetchedKey(url),
  broken: () => ({ acquire: async () => { throw new Error('no storage'); } }),
};

let connection;
let shared;

/** Strophe's handlers as an app adds them; nothing answers an iq, so that Strophe does. */
function listen() {
  for (const [name, types] of [['message', null], ['presence', null], ['iq', ['result', 'error']]]) {
    const received = (element) => {
      report({ kind: 'received', xml: serialize(element), snapshot: client.isSnapshot(element) });
      return true;
    };
    connection.addHandler(received, null, name, types);
  }
}

globalThis.tab = {
  flush,
  create({ service, keys = ['stored'], options = {} }) {
    connection = new Strophe.Connection(service, options);
    connection.onForeignStanzaSent = (element) => report({ kind: 'foreign', xml: serialize(element) });
    shared = new client.SharedConnection(connection, {
      keys: keys.map((key) => (typeof key === 'string' ? SOURCES[key]() : SOURCES.fetched(key.url))),
      onError: (error) => report({ kind: 'error', text: String(error) }),
    });
    shared.onSent((element, sender) => report({ kind: 'sent', xml: serialize(element), sender }));
  },
  /** Without a password: attach. */
  connect(jid, password) {
    const callback = (status, condition) => {
      if (status === Strophe.Status.CONNECTED || status === Strophe.Status.ATTACHED) listen();
      report({ kind: 'status', status: STATUS_NAMES[status], condition: condition ?? null, result: shared.result ?? null });
    };
    if (password === undefined) shared.attach(jid, callback);
    else connection.connect(jid, password, callback);
  },
  state: () => ({ jid: connection.jid, result: shared.result ?? null, connected: connection.connected }),
  send(xml) {
    connection.send(parse(xml));
    connection.flush();
  },
  /** Answers each message with one whose id is `re-` and its own. */
  echo() {
    connection.addHandler((element) => {
      const reply = parse(`<message xmlns='jabber:client' type='chat'><body>echo</body></message>`);
      reply.setAttribute('to', element.getAttribute('from'));
      reply.setAttribute('id', `re-${element.getAttribute('id')}`);
      connection.send(reply);
      return true;
    }, null, 'message');
  },
  /** Resolves with the answer as Strophe's callbacks get it. */
  ask: (xml) =>
    new Promise((resolve) => {
      connection.sendIQ(
        parse(xml),
        (result) => resolve(`result ${serialize(result)}`),
        (error) => resolve(`error ${error && serialize(error)}`),
      );
      connection.flush();
    }),
  disconnect: () => connection.disconnect(),
  logoutAll: () => shared.logoutAll(),
  rotate: () => shared.rotate(),
  storage: () => localStorage.getItem('nestjs-xmpp.shared-keys'),
  store: (text) => localStorage.setItem('nestjs-xmpp.shared-keys', text),
};
