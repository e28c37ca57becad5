import { Chat } from './chat.js';
import { tap } from './tap.js';
import { WirePane } from './wire.js';

/** A pause in writing after which the other is told so. Milliseconds. */
const TYPING_PAUSE = 3000;
/** Messages of one sender so close together are shown as one group. Milliseconds. */
const GROUP = 120_000;

const $ = (id) => document.getElementById(id);
const { body } = document;

const wire = new WirePane({
  list: $('wire'),
  scroller: document.querySelector('.wire-scroller'),
  count: $('wire-count'),
  empty: document.querySelector('.wire-empty'),
  pause: $('wire-pause'),
  clear: $('wire-clear'),
  raw: $('wire-raw'),
});
tap((frame) => {
  wire.add(frame);
  chat.onFrame(frame);
});

/** Where the endpoints are, and which accounts the page may offer. */
const demo = await (await fetch('demo.json')).json();
const chat = new Chat(demo);
/** @type {import('./chat.js').Contact | undefined} */
let current;
let typingTimer;
let countdown;

// Signing in

const form = $('login');
form.addEventListener('submit', (event) => {
  event.preventDefault();
  const jid = form.jid.value.trim();
  $('login-error').hidden = true;
  chat.connect({
    jid: jid.includes('@') ? jid : `${jid}@${demo.domain}`,
    password: form.password.value,
    transport: form.transport.value,
    share: form.share.checked,
  });
});

for (const { jid, password } of demo.accounts) {
  const name = jid.split('@')[0];
  const button = element('button', 'account', { type: 'button' }, avatar(jid, name), element('span', '', {}, name));
  button.addEventListener('click', () => {
    form.jid.value = jid;
    form.password.value = password;
    $('connect').focus();
  });
  $('accounts').append(button);
  $('accounts').hidden = false;
}

function prefill() {
  const query = new URLSearchParams(location.search);
  const jid = query.get('jid');
  if (jid) {
    form.jid.value = jid;
    form.password.value = demo.accounts.find((account) => account.jid === jid)?.password ?? '';
  }
  const transport = query.get('transport');
  if (transport === 'ws' || transport === 'bosh') form.transport.value = transport;
  form.share.checked = query.get('share') !== 'off';
  const next = form.jid.value === '' ? 'jid' : form.password.value === '' ? 'password' : 'connect';
  $('connect').disabled = false;
  $(next).focus();
  if (form.share.checked && jid !== '') chat.join({ jid: jid ?? undefined, transport: form.transport.value });
}

/** A page that is loaded again is what it was. */
function remember() {
  const url = new URL(location.href);
  url.search = new URLSearchParams({ jid: chat.bareJid, transport: form.transport.value, ...(!form.share.checked && { share: 'off' }) });
  history.replaceState(null, '', url);
}

$('logout-all').addEventListener('click', () => chat.logOutEverywhere());
$('disconnect').addEventListener('click', () => chat.disconnect());
$('reconnect').addEventListener('click', () => chat.reconnect());

chat.addEventListener('state', ({ detail: { state, text, retryAt } }) => {
  clearInterval(countdown);
  const status = $('status');
  status.dataset.state = state;
  status.textContent = text;
  const online = chat.state === 'online';
  const signedIn = online || chat.state === 'waiting' || (chat.state === 'connecting' && body.dataset.screen === 'chat');
  $('reconnect').hidden = chat.state !== 'waiting';
  $('disconnect').hidden = !signedIn && chat.state !== 'connecting';
  renderSharing();
  $('disconnect').textContent = signedIn ? 'Disconnect' : 'Cancel';
  $('connect').disabled = chat.state === 'connecting';
  $('connect').textContent = chat.state === 'connecting' ? 'Connecting …' : 'Connect';
  if (retryAt) showCountdown(status, text, retryAt);
  if (online && body.dataset.screen === 'login') enter();
  if (online) $('me-jid').textContent = $('me-jid').title = chat.jid;
  if (chat.state === 'offline' || chat.state === 'failed') leave(chat.state === 'failed' ? text : '');
  enableComposer();
});

chat.addEventListener('tabs', renderSharing);

function renderSharing() {
  const online = chat.state === 'online' && chat.isShared;
  $('sharing').hidden = $('logout-all').hidden = !online;
  if (!online) return;
  const { otherTabs } = chat;
  $('shared').dataset.others = otherTabs ?? '';
  $('shared').textContent = otherTabs > 0 ? `Shared with ${otherTabs} other ${otherTabs === 1 ? 'tab' : 'tabs'}` : 'Shared session';
  for (const transport of ['ws', 'bosh']) $(`new-${transport}`).href = `?${new URLSearchParams({ jid: chat.bareJid, transport })}`;
}

/** Only what changes is written, and hidden from screen readers: the reason was read out, each second need not be. */
function showCountdown(status, text, retryAt) {
  const left = element('span', 'countdown', { 'aria-hidden': 'true' });
  const tick = () => {
    const seconds = Math.max(0, Math.ceil((retryAt - Date.now()) / 1000));
    left.textContent = `Reconnecting in ${seconds} s`;
  };
  tick();
  status.replaceChildren(`${text}. `, left);
  countdown = setInterval(tick, 500);
}

function enter() {
  body.dataset.screen = 'chat';
  form.jid.value = chat.bareJid;
  remember();
  $('me-avatar').replaceWith(avatar(chat.bareJid, chat.bareJid, 'me-avatar'));
  $('me-name').textContent = chat.bareJid.split('@')[0];
  for (const { jid } of demo.accounts) if (jid !== chat.bareJid) chat.contact(jid);
  renderContacts();
  const [first] = sorted();
  if (first) open(first);
  showView('chat');
  $('message').focus();
}

function leave(error) {
  if (error) {
    $('login-error').textContent = error;
    $('login-error').hidden = false;
  }
  if (body.dataset.screen === 'login') return;
  body.dataset.screen = 'login';
  current = undefined;
  document.title = 'nestjs-xmpp demo';
  renderConversation();
  showView('chat');
  $('connect').focus();
}

// Contacts

chat.addEventListener('contacts', () => {
  renderContacts();
  renderPeer();
});
chat.addEventListener('request', () => renderRequests());

function sorted() {
  const rank = ({ resources, subscription }) => (resources.size > 0 ? 0 : subscription === 'suggested' ? 2 : 1);
  return [...chat.contacts.values()].sort((a, b) => rank(a) - rank(b) || a.name.localeCompare(b.name));
}

function presence(contact) {
  if (contact.resources.size === 0) return 'offline';
  const shows = [...contact.resources.values()].map(({ show }) => show);
  if (shows.some((show) => show === '' || show === 'chat')) return 'online';
  return shows.includes('dnd') ? 'busy' : 'away';
}

function presenceText(contact) {
  if (contact.resources.size > 0) return { online: 'Online', away: 'Away', busy: 'Busy' }[presence(contact)];
  if (contact.subscription === 'suggested') return 'Not in your contacts';
  if (contact.asked) return 'Waiting for an answer';
  return contact.subscription === 'both' || contact.subscription === 'to' ? 'Offline' : 'Presence unknown';
}

function renderContacts() {
  const list = $('contacts');
  const focused = document.activeElement?.closest?.('#contacts button')?.dataset.jid;
  const items = sorted().map((contact) => {
    const unread = contact.unread > 0 ? element('span', 'unread', {}, String(contact.unread), element('span', 'visually-hidden', {}, ' unread')) : '';
    const face = element('span', 'face', {}, avatar(contact.jid, contact.name), element('span', 'dot', { 'data-presence': presence(contact) }));
    const last = contact.typing ? 'typing …' : presenceText(contact);
    const button = element(
      'button',
      'contact',
      { 'type': 'button', 'data-jid': contact.jid, 'data-presence': presence(contact), 'aria-current': contact === current ? 'true' : null },
      face,
      element('span', 'contact-text', {}, element('b', '', {}, contact.name), element('small', '', {}, last)),
      unread,
    );
    button.addEventListener('click', () => {
      open(contact);
      showView('chat');
      $('message').focus();
    });
    return element('li', '', {}, button);
  });
  list.replaceChildren(...items);
  if (focused) list.querySelector(`button[data-jid="${CSS.escape(focused)}"]`)?.focus();
  renderRequests();
  const unread = [...chat.contacts.values()].reduce((sum, contact) => sum + contact.unread, 0);
  document.title = body.dataset.screen === 'login' ? 'nestjs-xmpp demo' : `${unread > 0 ? `(${unread}) ` : ''}${chat.bareJid} · nestjs-xmpp demo`;
}

function renderRequests() {
  const shown = new Set([...$('requests').children].map(({ dataset }) => dataset.jid));
  if (shown.size === chat.requests.size && [...chat.requests].every((jid) => shown.has(jid))) return;
  const cards = [...chat.requests].map((jid) => {
    const accept = element('button', 'button primary', { type: 'button' }, 'Accept');
    const decline = element('button', 'button', { type: 'button' }, 'Decline');
    accept.addEventListener('click', () => chat.answer(jid, true));
    decline.addEventListener('click', () => chat.answer(jid, false));
    return element('div', 'request', { 'data-jid': jid }, element('p', '', {}, element('b', '', {}, jid), ' wants to see when you are online.'), element('div', 'request-actions', {}, accept, decline));
  });
  $('requests').replaceChildren(...cards);
}

$('add').addEventListener('submit', (event) => {
  event.preventDefault();
  const input = $('add-jid');
  const text = input.value.trim().toLowerCase();
  const jid = text.includes('@') ? text : `${text}@${demo.domain}`;
  if (chat.state !== 'online' || jid === chat.bareJid) return;
  chat.add(jid);
  open(chat.contact(jid));
  input.value = '';
});

$('subscribe').addEventListener('click', () => current && chat.add(current.jid));

// Conversation

function open(contact) {
  current = contact;
  contact.unread = 0;
  renderContacts();
  renderConversation();
}

function renderPeer() {
  $('peer-name').textContent = current?.name ?? 'No conversation';
  $('peer-avatar').replaceWith(avatar(current?.jid ?? '', current?.name ?? '', 'peer-avatar'));
  const line = $('peer-presence');
  line.textContent = current ? `${presenceText(current)} · ${current.jid}` : '';
  line.dataset.presence = current ? presence(current) : 'offline';
  $('subscribe').hidden = !current || chat.state !== 'online' || current.asked || ['to', 'both'].includes(current.subscription);
  $('typing').textContent = current?.typing ? `${current.name} is typing …` : '';
  $('empty').textContent = current ? `This is the beginning of your conversation with ${current.name}.` : 'Choose a contact to start.';
}

function renderConversation() {
  const log = $('scroller');
  log.setAttribute('aria-live', 'off'); // what was there before is not news
  $('messages').replaceChildren();
  renderPeer();
  enableComposer();
  const messages = current?.messages ?? [];
  messages.forEach((message, index) => appendMessage(message, messages[index - 1]));
  log.scrollTop = log.scrollHeight;
  requestAnimationFrame(() => log.setAttribute('aria-live', 'polite'));
}

function enableComposer() {
  const usable = chat.state === 'online' && current !== undefined;
  $('message').disabled = !usable;
  $('send').disabled = !usable;
  $('message').placeholder = current ? `Message ${current.name}` : 'Write a message';
}

chat.addEventListener('message', ({ detail: { contact, message } }) => {
  if (contact === current) {
    appendMessage(message, contact.messages.at(-2));
    $('scroller').scrollTop = $('scroller').scrollHeight;
  }
  if (message.direction === 'in' && (contact !== current || document.hidden)) contact.unread++;
  renderContacts();
  renderPeer();
});

chat.addEventListener('change', ({ detail: { contact, message } }) => {
  if (contact !== current) return;
  const item = $('messages').children[contact.messages.indexOf(message)];
  item.dataset.state = message.state;
  item.querySelector('.meta').replaceChildren(...meta(message));
});

chat.addEventListener('typing', ({ detail: contact }) => {
  renderContacts();
  if (contact === current) renderPeer();
});

document.addEventListener('visibilitychange', () => {
  if (document.hidden || !current?.unread) return;
  current.unread = 0;
  renderContacts();
});

function appendMessage(message, previous) {
  const grouped = previous?.direction === message.direction && message.at - previous.at < GROUP;
  if (grouped) $('messages').lastElementChild.classList.add('continued');
  const who = message.direction === 'out' ? 'You' : (current?.name ?? '');
  const item = element(
    'li',
    grouped ? 'message grouped' : 'message',
    { 'data-direction': message.direction, 'data-state': message.state },
    element('span', 'visually-hidden', {}, `${who}: `),
    element('p', 'bubble', { dir: 'auto' }, message.text),
    element('p', 'meta', {}, ...meta(message)),
  );
  $('messages').append(item);
}

function meta({ at, direction, state, error }) {
  const time = element('time', '', { datetime: at.toISOString() }, at.toLocaleTimeString([], { hour: '2-digit', minute: '2-digit' }));
  if (direction === 'in') return [time];
  const words = { sent: 'Sent', delivered: 'Delivered', failed: `Not delivered: ${error}` }[state];
  const tick = element('span', 'tick', { 'aria-hidden': 'true' }, { sent: '✓', delivered: '✓✓', failed: '!' }[state]);
  return [time, ' · ', words, ' ', tick];
}

const input = $('message');
$('composer').addEventListener('submit', (event) => {
  event.preventDefault();
  const text = input.value.trim();
  if (text === '' || chat.state !== 'online' || !current) return;
  clearTimeout(typingTimer);
  typingTimer = undefined;
  chat.send(current, text);
  input.value = '';
  input.focus();
});

input.addEventListener('keydown', (event) => {
  if (event.key !== 'Enter' || event.shiftKey || event.isComposing) return;
  event.preventDefault();
  $('composer').requestSubmit();
});

input.addEventListener('input', () => {
  if (!current) return;
  const contact = current;
  if (typingTimer === undefined) chat.sendTyping(contact, 'composing');
  clearTimeout(typingTimer);
  typingTimer = setTimeout(() => {
    typingTimer = undefined;
    chat.sendTyping(contact, 'paused');
  }, TYPING_PAUSE);
});

// Views of a narrow window

function showView(name) {
  body.dataset.view = name;
  for (const button of document.querySelectorAll('.views button')) {
    if (button.dataset.show === name) button.setAttribute('aria-current', 'true');
    else button.removeAttribute('aria-current');
  }
}

for (const button of document.querySelectorAll('.views button')) {
  button.addEventListener('click', () => showView(button.dataset.show));
}

function element(tag, className, attributes, ...children) {
  const made = document.createElement(tag);
  if (className) made.className = className;
  for (const [name, value] of Object.entries(attributes)) if (value !== null) made.setAttribute(name, value);
  made.append(...children);
  return made;
}

/** A circle with an initial, its colour from the address. */
function avatar(jid, name, id) {
  let hash = 0;
  for (const character of jid) hash = (hash * 31 + character.codePointAt(0)) % 9973;
  const circle = element('span', 'avatar', { 'aria-hidden': 'true', 'id': id ?? null }, [...name][0]?.toUpperCase() ?? '');
  circle.style.setProperty('--hue', String(Math.round(hash * 137.508) % 360)); // golden angle: neighbours differ
  return circle;
}

prefill();
