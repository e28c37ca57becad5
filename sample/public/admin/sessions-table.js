import { age, number, TRANSPORTS } from './format.js';

const TONES = { bound: 'good', authenticated: 'warn', open: undefined };
const STATES = { bound: 'Bound', authenticated: 'Authenticated', open: 'Open' };

/** The rows of the table. Those that stay are the same elements, so that nobody loses the focus. */
export class SessionsTable {
  #rows = new Map();

  /**
   * @param {HTMLElement} body
   * @param {{ inspect: (session: object) => void, kick: (session: object) => void }} actions
   */
  constructor(body, actions) {
    this.body = body;
    this.actions = actions;
  }

  /** @param {object[]} sessions */
  show(sessions) {
    const ids = new Set(sessions.map(({ id }) => id));
    for (const [id, row] of this.#rows) {
      if (ids.has(id)) continue;
      row.element.remove();
      this.#rows.delete(id);
    }
    sessions.forEach((session, i) => {
      let row = this.#rows.get(session.id);
      if (!row) this.#rows.set(session.id, (row = this.#newRow()));
      row.update(session);
      if (this.body.children[i] !== row.element) this.body.insertBefore(row.element, this.body.children[i] ?? null);
    });
  }

  #newRow() {
    const element = document.createElement('tr');
    const cell = (className, label) => {
      const td = document.createElement('td');
      if (className) td.className = className;
      if (label) td.dataset.label = label;
      element.append(td);
      return td;
    };
    const user = cell('user');
    const name = document.createElement('b');
    const rest = document.createElement('small');
    user.append(name, rest);
    const transport = cell();
    const state = chip(cell());
    const address = cell('address');
    const life = cell('number', 'Age');
    const inward = cell('number', 'In');
    const outward = cell('number', 'Out');
    const actions = cell('actions');
    let current;
    const inspect = button(actions, 'Inspect', () => this.actions.inspect(current));
    inspect.dataset.testid = 'inspect';
    const kick = button(actions, 'End', () => this.actions.kick(current));
    kick.dataset.testid = 'kick';
    kick.classList.add('danger');
    const update = (session) => {
      current = session;
      const [bare, resource] = (session.jid ?? session.domain).split(/\/(.*)/s);
      element.dataset.id = session.id;
      element.dataset.jid = session.jid ?? '';
      text(name, session.jid ? bare : `nobody yet at ${session.domain}`);
      text(rest, resource ? `/${resource}` : '');
      user.title = session.jid ?? session.domain;
      const shared = session.sharedBy > 1 ? ` × ${session.sharedBy}` : '';
      text(transport, TRANSPORTS[session.transport] + shared + (session.node ? ` · ${session.node}` : ''));
      text(state, STATES[session.state] + (session.traced ? ', traced' : ''));
      if (TONES[session.state]) state.dataset.tone = TONES[session.state];
      else delete state.dataset.tone;
      text(address, session.address);
      text(life, age(session.seconds));
      text(inward, number(session.traffic.stanzasIn));
      text(outward, number(session.traffic.stanzasOut));
      const who = session.jid ?? session.id;
      inspect.setAttribute('aria-label', `Inspect the session of ${who}`);
      kick.setAttribute('aria-label', `End the session of ${who}`);
    };
    return { element, update };
  }
}

/** Touches what is shown only where it changes. */
function text(element, value) {
  if (element.textContent !== value) element.textContent = value;
}

function chip(host) {
  const element = document.createElement('span');
  element.className = 'chip';
  host.append(element);
  return element;
}

function button(host, label, act) {
  const element = document.createElement('button');
  element.type = 'button';
  element.className = 'button small';
  element.textContent = label;
  element.addEventListener('click', act);
  host.append(element);
  return element;
}
