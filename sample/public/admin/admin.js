import { Api } from './api.js';
import { confirm, Details } from './dialogs.js';
import { age, bytes, number, rate } from './format.js';
import { SessionsTable } from './sessions-table.js';
import { Sparkline } from './sparkline.js';

const TOKEN = 'nestjs-xmpp-admin-token';
const INTERVAL = 2000;
const PAGE = 50;

const byId = (id) => document.getElementById(id);
const status = document.querySelector('.status');
const sparks = {
  sessions: new Sparkline(byId('sessions-spark'), (value) => `${number(value)} sessions`),
  stanzas: new Sparkline(byId('stanzas-spark'), (value) => `${rate(value)} stanzas per second`),
  bytes: new Sparkline(byId('bytes-spark'), (value) => `${bytes(value)} per second`),
};
const table = new SessionsTable(byId('rows'), { inspect, kick });
const details = new Details();

/** @type {Api | undefined} */
let api;
let timer;
let paused = false;
let offset = 0;
/** The counters before, and when they were read. */
let before;
/** Answers that come late are not shown. */
let asked = 0;

function show(state, words) {
  status.dataset.state = state;
  if (status.textContent !== words) status.textContent = words;
}

function signedIn(next) {
  api = next;
  before = undefined;
  document.body.dataset.screen = next ? 'board' : 'sign-in';
  if (next) return;
  clearTimeout(timer);
  sessionStorage.removeItem(TOKEN);
  show('out', 'Not signed in');
}

async function refresh() {
  clearTimeout(timer);
  if (!api) return;
  const turn = ++asked;
  try {
    const query = { search: byId('search').value.trim(), transport: byId('transport').value, state: byId('state').value, order: 'newest', offset, limit: PAGE };
    const [overview, page] = await Promise.all([api.get(''), api.get('/sessions', query)]);
    if (turn !== asked || !api) return;
    showOverview(overview);
    showPage(page);
    await details.refresh();
    if (!paused) show('live', 'Live');
  } catch (error) {
    if (turn !== asked || !api) return;
    if (error.status === 401) return refuse('The token is no longer right.');
    show('lost', error.status === 0 ? 'The gateway does not answer' : error.message);
  }
  if (!paused && api && turn === asked) timer = setTimeout(refresh, document.hidden ? INTERVAL * 5 : INTERVAL);
}

function showOverview({ now, uptime, sessions, clients, clientsLimit, sharedStreams, sharedClients, traffic, upstreams, drain, shuttingDown, memory }) {
  const at = Date.parse(now);
  const since = before ? Math.max(0.001, (at - before.at) / 1000) : undefined;
  const perSecond = (name) => (since ? Math.max(0, traffic[name] - before.traffic[name]) / since : 0);
  const [stanzasIn, stanzasOut, bytesIn, bytesOut] = ['stanzasIn', 'stanzasOut', 'bytesIn', 'bytesOut'].map(perSecond);
  before = { at, traffic };
  byId('sessions-now').textContent = number(sessions.total);
  byId('sessions-detail').textContent =
    `${number(sessions.websocket)} WebSocket · ${number(sessions.bosh)} BOSH` +
    (sharedStreams > 0 ? ` · ${number(sharedStreams)} shared by ${number(sharedClients)}` : '');
  sparks.sessions.push(sessions.total);
  if (since) {
    byId('stanzas-now').textContent = rate(stanzasIn + stanzasOut);
    byId('stanzas-detail').textContent = `↑ ${rate(stanzasIn)} from clients · ↓ ${rate(stanzasOut)} to them`;
    sparks.stanzas.push(stanzasIn + stanzasOut);
    byId('bytes-now').textContent = bytes(bytesIn + bytesOut);
    byId('bytes-detail').textContent = `↑ ${bytes(bytesIn)} · ↓ ${bytes(bytesOut)}`;
    sparks.bytes.push(bytesIn + bytesOut);
  }
  byId('places-now').textContent = number(clients);
  byId('places-of').textContent = `of ${number(clientsLimit)}`;
  byId('places-detail').textContent = `up ${age(uptime)} · ${bytes(memory)} of memory`;
  const meter = byId('places-meter');
  Object.assign(meter, { max: clientsLimit, high: clientsLimit * 0.9, optimum: 0, value: clients });
  byId('upstreams').replaceChildren(
    ...upstreams.map(({ domain, upstream, up }) => {
      const chip = Object.assign(document.createElement('li'), { className: 'chip', textContent: `${domain}: ${upstream} is ${up ? 'up' : 'down'}` });
      chip.dataset.tone = up ? 'good' : 'bad';
      return chip;
    }),
  );
  const notice = byId('drain-notice');
  notice.hidden = !drain && !shuttingDown;
  notice.textContent = shuttingDown
    ? 'This gateway is shutting down.'
    : drain
      ? `Clients are sent elsewhere: ${Object.entries(drain).map(([transport, uri]) => `${transport} to ${uri}`).join(', ')}.`
      : '';
  byId('undrain').hidden = !drain;
}

function showPage({ total, offset: from, sessions }) {
  if (sessions.length === 0 && from > 0) {
    offset = Math.max(0, Math.floor((total - 1) / PAGE) * PAGE);
    return void refresh();
  }
  table.show(sessions);
  byId('count').textContent = number(total);
  byId('empty').hidden = total > 0;
  byId('range').textContent = total > 0 ? `${number(from + 1)}–${number(from + sessions.length)} of ${number(total)}` : '';
  byId('previous').disabled = from === 0;
  byId('next').disabled = from + sessions.length >= total;
}

function refuse(words) {
  signedIn(undefined);
  const error = byId('sign-in-error');
  error.textContent = words;
  error.hidden = false;
  byId('token').focus();
}

function inspect(session) {
  details.open(api, session).catch((error) => show('lost', error.message));
}

function kick(session) {
  const who = session.jid ?? `the client at ${session.address}`;
  confirm({
    title: 'End this session?',
    text: `${who} is told that it broke the policy, and may connect again.`,
    yes: 'End session',
    fields: [{ name: 'text', label: 'A word for the client (optional)', placeholder: 'Please sign in again' }],
    act: async ({ text }) => {
      await api.post('/kick', { key: session.id, ...(text && { text }) });
      await refresh();
    },
  });
}

function drain() {
  const here = new URL('/', location.href);
  confirm({
    title: 'Send clients elsewhere?',
    text: 'Sessions that run here end, and their clients go on at these addresses, as new ones do. Nothing else stops.',
    yes: 'Send them',
    fields: [
      { name: 'websocket', label: 'WebSocket clients', placeholder: `wss://other.example${here.pathname}xmpp-websocket` },
      { name: 'bosh', label: 'BOSH clients', placeholder: `https://other.example${here.pathname}http-bind` },
    ],
    act: async ({ websocket, bosh }) => {
      await api.post('/drain', { ...(websocket && { websocket }), ...(bosh && { bosh }) });
      await refresh();
    },
  });
}

async function undrain() {
  await api.delete('/drain').catch((error) => show('lost', error.message));
  await refresh();
}

function startOver() {
  offset = 0;
  void refresh();
}

byId('sign-in-form').addEventListener('submit', async (event) => {
  event.preventDefault();
  const token = byId('token').value.trim();
  byId('sign-in-error').hidden = true;
  const next = new Api(token);
  try {
    await next.get('');
  } catch (error) {
    return refuse(error.status === 401 ? 'That is not the token.' : error.message);
  }
  sessionStorage.setItem(TOKEN, token);
  byId('token').value = '';
  signedIn(next);
  await refresh();
});
byId('sign-out').addEventListener('click', () => signedIn(undefined));
byId('search').addEventListener('input', startOver);
byId('transport').addEventListener('change', startOver);
byId('state').addEventListener('change', startOver);
byId('drain').addEventListener('click', drain);
byId('undrain').addEventListener('click', undrain);
byId('previous').addEventListener('click', () => {
  offset = Math.max(0, offset - PAGE);
  void refresh();
});
byId('next').addEventListener('click', () => {
  offset += PAGE;
  void refresh();
});
byId('pause').addEventListener('click', () => {
  paused = !paused;
  byId('pause').setAttribute('aria-pressed', String(paused));
  byId('pause').textContent = paused ? 'Go on' : 'Pause';
  if (paused) {
    clearTimeout(timer);
    show('paused', 'Paused');
  } else {
    before = undefined;
    void refresh();
  }
});
document.addEventListener('visibilitychange', () => {
  if (!document.hidden && !paused) void refresh();
});

const kept = sessionStorage.getItem(TOKEN);
if (kept) {
  signedIn(new Api(kept));
  void refresh();
} else {
  byId('token').focus();
}
