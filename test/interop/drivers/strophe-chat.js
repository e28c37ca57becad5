/**
 * Chats with Strophe: in a browser page after Strophe's browser build, in Node after its build for Node. Both put
 * Strophe into the global scope, and so does this.
 */
const { Strophe, $build, $iq, $msg, $pres } = globalThis;
// What goes wrong reaches the test as an error; a cut line is no news to it.
Strophe.setLogLevel(Strophe.LogLevel.FATAL);

function text(stanza, name) {
  const child = stanza.getElementsByTagName(name)[0];
  return child ? child.textContent : null;
}

/** @returns a `ChatClient` but for `jid` and `mechanism`, which `connect` resolves with. */
globalThis.newChat = (listener) => {
  let connection;
  let login;
  let gone;

  function listen() {
    connection.addHandler((stanza) => {
      const body = text(stanza, 'body');
      if (body !== null) listener.message({ from: stanza.getAttribute('from'), body });
      return true;
    }, null, 'message');
    connection.addHandler((stanza) => {
      const type = stanza.getAttribute('type') ?? '';
      listener.presence({ from: stanza.getAttribute('from'), type, status: text(stanza, 'status') ?? '' });
      return true;
    }, null, 'presence');
  }

  function connected() {
    listen();
    return new Promise((resolve, reject) => {
      let leave;
      gone = new Promise((left) => (leave = left));
      connection.connect(`${login.user}@${login.domain}/${login.resource}`, login.password, (status, condition) => {
        if (status === Strophe.Status.CONNECTED) resolve();
        if ([Strophe.Status.AUTHFAIL, Strophe.Status.CONNFAIL, Strophe.Status.ERROR, Strophe.Status.DISCONNECTED].includes(status)) {
          const name = Object.entries(Strophe.Status).find(([, value]) => value === status)?.[0];
          reject(new Error(`Strophe: ${name} ${condition ?? ''}`));
          if (status !== Strophe.Status.DISCONNECTED) connection.disconnect();
        }
        if (status === Strophe.Status.DISCONNECTED) leave();
      });
    });
  }

  return {
    async connect(account) {
      login = account;
      // It takes part in stream management over WebSocket only.
      connection = new Strophe.Connection(login.url, { enableStreamManagement: true });
      let mechanism = '';
      const xmlOutput = connection.xmlOutput;
      connection.xmlOutput = (element) => {
        const auth = element.nodeName === 'auth' ? element : element.getElementsByTagName('auth')[0];
        if (auth) mechanism ||= auth.getAttribute('mechanism');
        xmlOutput.call(connection, element);
      };
      await connected();
      return { jid: connection.jid, mechanism };
    },
    addContact(jid, name) {
      const set = $iq({ type: 'set' }).c('query', { xmlns: Strophe.NS.ROSTER }).c('item', { jid, name });
      return new Promise((resolve, reject) => connection.sendIQ(set, () => resolve(), reject));
    },
    roster() {
      const get = $iq({ type: 'get' }).c('query', { xmlns: Strophe.NS.ROSTER });
      return new Promise((resolve, reject) => {
        const read = (result) => {
          const items = Array.from(result.getElementsByTagName('item'));
          resolve(items.map((item) => ({ jid: item.getAttribute('jid'), name: item.getAttribute('name') ?? '' })));
        };
        connection.sendIQ(get, read, reject);
      });
    },
    async presence(to, status) {
      const presence = $pres(to ? { to } : {});
      if (status) presence.cnode($build('status').t(status).tree());
      connection.send(presence);
    },
    async sendMessages(to, bodies) {
      for (const body of bodies) connection.send($msg({ to, type: 'chat' }).c('body').t(body));
    },
    async recover() {
      if (login.transport === 'bosh') return 'kept';
      await gone;
      connection.reset();
      await connected();
      return connection.hasResumed() ? 'resumed' : 'lost';
    },
    async disconnect() {
      connection.disconnect();
      await gone;
    },
  };
};
