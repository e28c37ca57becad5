/** Chats with Converse in a browser page, through the API that its plugins have. */
const { converse } = globalThis;

/** @returns a `ChatClient` but for `jid` and `mechanism`, which `connect` resolves with. */
globalThis.newChat = (listener) => {
  let api;
  let login;
  let reconnected;
  /** Fulfilled by the event after the last one that was waited for. */
  const next = (event) => new Promise((resolve) => api.listen.once(event, resolve));

  function listen() {
    api.listen.stanza('presence', (stanza) => {
      const type = stanza.getAttribute('type') ?? '';
      const status = stanza.querySelector('status')?.textContent ?? '';
      listener.presence({ from: stanza.getAttribute('from'), type, status });
      return true;
    });
  }

  return {
    async connect(account) {
      login = account;
      let mechanism = '';
      const bound = new Promise((resolve, reject) => {
        converse.plugins.add('story', {
          initialize() {
            ({ api } = this._converse);
            api.listen.on('connectionInitialized', () => {
              const connection = api.connection.get();
              const xmlOutput = connection.xmlOutput;
              connection.xmlOutput = (element) => {
                const auth = element.nodeName === 'auth' ? element : element.getElementsByTagName('auth')[0];
                if (auth) mechanism ||= auth.getAttribute('mechanism');
                xmlOutput.call(connection, element);
              };
            });
            api.listen.on('connected', listen);
            api.listen.on('reconnected', listen);
            api.listen.on('connected', () => resolve(api.connection.get().jid));
            const { connfeedback } = this._converse.state;
            api.listen.on('disconnected', () => reject(new Error(`Converse: ${connfeedback.get('message')}`)));
            api.listen.on('message', ({ stanza, attrs }) => {
              if (stanza && attrs.body) listener.message({ from: stanza.getAttribute('from'), body: attrs.body });
            });
          },
        });
      });
      const service = login.transport === 'bosh' ? { bosh_service_url: login.url } : { websocket_url: login.url };
      await converse.initialize({
        ...service,
        jid: `${login.user}@${login.domain}/${login.resource}`,
        password: login.password,
        auto_login: true,
        auto_reconnect: true,
        discover_connection_methods: false,
        assets_path: '/',
        allow_non_roster_messaging: true,
        i18n: 'en',
        loglevel: 'warn',
        play_sounds: false,
        show_desktop_notifications: false,
        view_mode: 'fullscreen',
        whitelisted_plugins: ['story'],
      });
      const jid = await bound;
      reconnected = next('reconnected');
      await api.waitUntil('rosterContactsFetched');
      return { jid, mechanism };
    },
    async addContact(jid, name) {
      await api.contacts.add({ jid, name, groups: [] }, true, false);
    },
    async roster() {
      const { $iq, Strophe } = converse.env;
      const result = await api.sendIQ($iq({ type: 'get' }).c('query', { xmlns: Strophe.NS.ROSTER }));
      const items = Array.from(result.querySelectorAll('item'));
      return items.map((item) => ({ jid: item.getAttribute('jid'), name: item.getAttribute('name') ?? '' }));
    },
    async presence(to, status) {
      const { $pres } = converse.env;
      const presence = $pres(to ? { to } : {});
      if (status) presence.c('status').t(status);
      api.send(presence);
    },
    async sendMessages(to, bodies) {
      // In the background: to draw a thousand messages would take it most of a minute.
      const chat = await api.chats.get(to.split('/')[0], { hidden: true }, true);
      for (const body of bodies) await chat.sendMessage({ body });
    },
    async recover() {
      if (login.transport === 'bosh') return 'kept';
      await reconnected;
      return api.connection.get().restored ? 'resumed' : 'lost';
    },
    async disconnect() {
      const gone = next('disconnected');
      await api.user.logout();
      await gone;
    },
  };
};
