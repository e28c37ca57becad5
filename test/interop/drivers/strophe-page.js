/**
 * Runs in the browser page, after Strophe's own browser build. The driver calls `chat`, and is told what
 * comes in through `chatMessage` and `chatPresence`.
 */
const { Strophe, $build, $iq, $msg, $pres } = globalThis;

let connection;

function text(stanza, name) {
  const child = stanza.getElementsByTagName(name)[0];
  return child ? child.textContent : null;
}

globalThis.chat = {
  connect({ url, user, domain, resource, password }) {
    connection = new Strophe.Connection(url);
    let mechanism = '';
    const xmlOutput = connection.xmlOutput;
    connection.xmlOutput = (element) => {
      const auth = element.nodeName === 'auth' ? element : element.getElementsByTagName('auth')[0];
      if (auth) mechanism ||= auth.getAttribute('mechanism');
      xmlOutput.call(connection, element);
    };
    connection.addHandler((stanza) => {
      const body = text(stanza, 'body');
      if (body !== null) globalThis.chatMessage({ from: stanza.getAttribute('from'), body });
      return true;
    }, null, 'message');
    connection.addHandler((stanza) => {
      const type = stanza.getAttribute('type') ?? '';
      globalThis.chatPresence({ from: stanza.getAttribute('from'), type, status: text(stanza, 'status') ?? '' });
      return true;
    }, null, 'presence');
    return new Promise((resolve, reject) => {
      connection.connect(`${user}@${domain}/${resource}`, password, (status, condition) => {
        if (status === Strophe.Status.CONNECTED) resolve({ jid: connection.jid, mechanism });
        if ([Strophe.Status.AUTHFAIL, Strophe.Status.CONNFAIL, Strophe.Status.ERROR, Strophe.Status.DISCONNECTED].includes(status)) {
          reject(new Error(`Strophe status ${status}: ${condition}`));
        }
        if (status === Strophe.Status.DISCONNECTED) globalThis.chatGone?.();
      });
    });
  },
  addContact(jid, name) {
    const set = $iq({ type: 'set' }).c('query', { xmlns: Strophe.NS.ROSTER }).c('item', { jid, name });
    return new Promise((resolve, reject) => connection.sendIQ(set, () => resolve(), reject));
  },
  roster() {
    const get = $iq({ type: 'get' }).c('query', { xmlns: Strophe.NS.ROSTER });
    return new Promise((resolve, reject) => {
      const read = (result) => {
        const items = [...result.getElementsByTagName('item')];
        resolve(items.map((item) => ({ jid: item.getAttribute('jid'), name: item.getAttribute('name') ?? '' })));
      };
      connection.sendIQ(get, read, reject);
    });
  },
  presence(to, status) {
    const presence = $pres(to ? { to } : {});
    if (status) presence.cnode($build('status').t(status).tree());
    connection.send(presence);
  },
  sendMessage(to, body) {
    connection.send($msg({ to, type: 'chat' }).c('body').t(body));
  },
  disconnect() {
    return new Promise((resolve) => {
      globalThis.chatGone = resolve;
      connection.disconnect();
    });
  },
};
