import { age, bytes, number, TRANSPORTS } from './format.js';

const byId = (id) => document.getElementById(id);

/**
 * Asks before something is done, and does it; what goes wrong is told in the dialog, which stays.
 * @param {{ title: string, text: string, yes: string, fields?: { name: string, label: string, value?: string, placeholder?: string }[],
 *   act: (values: Record<string, string>) => Promise<unknown> }} question
 */
export function confirm({ title, text, yes, fields = [], act }) {
  const dialog = byId('confirm');
  const form = byId('confirm-form');
  const error = byId('confirm-error');
  byId('confirm-title').textContent = title;
  byId('confirm-text').textContent = text;
  byId('confirm-yes').textContent = yes;
  error.hidden = true;
  const inputs = fields.map(({ name, label, value = '', placeholder = '' }) => {
    const input = Object.assign(document.createElement('input'), { name, value, placeholder, type: 'text', autocomplete: 'off', spellcheck: false });
    const field = document.createElement('label');
    field.className = 'field';
    field.append(Object.assign(document.createElement('span'), { textContent: label }), input);
    return { field, input };
  });
  byId('confirm-fields').replaceChildren(...inputs.map(({ field }) => field));
  byId('confirm-no').onclick = () => dialog.close();
  form.onsubmit = async (event) => {
    event.preventDefault();
    byId('confirm-yes').disabled = true;
    try {
      await act(Object.fromEntries(inputs.map(({ input }) => [input.name, input.value.trim()])));
      dialog.close();
    } catch (fault) {
      error.textContent = fault.message;
      error.hidden = false;
    } finally {
      byId('confirm-yes').disabled = false;
    }
  };
  dialog.showModal();
  (inputs[0]?.input ?? byId('confirm-no')).focus();
}

/** One session, and its trace. */
export class Details {
  #api;
  #session;
  #trace;
  #last = 0;

  constructor() {
    const dialog = byId('details');
    byId('details-close').onclick = () => dialog.close();
    dialog.onclose = () => void this.#forgetTrace();
    byId('trace').onclick = () => void (this.#trace ? this.#forgetTrace() : this.#startTrace());
  }

  /**
   * @param {import('./api.js').Api} api
   * @param {{ id: string }} session
   */
  async open(api, session) {
    this.#api = api;
    this.#session = session.id;
    byId('trace-lines').replaceChildren();
    byId('clients').replaceChildren();
    byId('details-facts').replaceChildren();
    byId('details-title').textContent = session.jid ?? session.id;
    this.#showTrace();
    byId('details').showModal();
    await this.refresh();
  }

  /** Brings it up to date, where it is open. */
  async refresh() {
    if (!byId('details').open) return;
    try {
      this.#show(await this.#api.get(`/sessions/${encodeURIComponent(this.#session)}`));
    } catch (error) {
      if (error.status !== 404) throw error;
      byId('details-title').textContent = `${byId('details-title').textContent.replace(/ \(ended\)$/, '')} (ended)`;
    }
    await this.#readTrace();
  }

  #show({ id, domain, jid, transport, address, secure, state, resumable, openedAt, seconds, traffic, node, clients }) {
    byId('details-title').textContent = jid ?? id;
    const facts = {
      'Id': id,
      'Domain': domain,
      'State': state,
      'Transport': TRANSPORTS[transport] + (secure ? ' over TLS' : ', not encrypted'),
      'Address': address,
      'Opened': `${new Date(openedAt).toLocaleString()} (${age(seconds)})`,
      'From the client': `${number(traffic.stanzasIn)} stanzas, ${bytes(traffic.bytesIn)}`,
      'To the client': `${number(traffic.stanzasOut)} stanzas, ${bytes(traffic.bytesOut)}`,
      'Can be resumed': resumable ? 'yes' : 'no',
      ...(node && { Node: node }),
    };
    byId('details-facts').replaceChildren(
      ...Object.entries(facts).map(([name, value]) => {
        const fact = document.createElement('div');
        fact.append(
          Object.assign(document.createElement('dt'), { textContent: name }),
          Object.assign(document.createElement('dd'), { textContent: value }),
        );
        return fact;
      }),
    );
    byId('clients-title').hidden = clients.length === 0;
    byId('clients').replaceChildren(
      ...clients.map(({ number: which, transport: by, address: from }) =>
        Object.assign(document.createElement('li'), { className: 'chip plain', textContent: `${which}: ${TRANSPORTS[by]} from ${from}` }),
      ),
    );
  }

  async #startTrace() {
    try {
      this.#trace = (await this.#api.post('/traces', { key: this.#session })).id;
      this.#last = 0;
      byId('trace-lines').replaceChildren();
    } catch (error) {
      this.#addLine({ at: new Date().toISOString(), direction: 'note', text: error.message });
    }
    this.#showTrace();
  }

  async #forgetTrace() {
    const id = this.#trace;
    this.#trace = undefined;
    this.#showTrace();
    if (id !== undefined) await this.#api.delete(`/traces/${id}`).catch(() => {});
  }

  async #readTrace() {
    if (this.#trace === undefined) return;
    const { recorded } = await this.#api.get(`/traces/${this.#trace}`, { after: this.#last });
    for (const line of recorded) {
      this.#last = line.number;
      this.#addLine(line);
    }
  }

  #addLine({ at, direction, text }) {
    const list = byId('trace-lines');
    const atEnd = list.scrollHeight - list.scrollTop - list.clientHeight < 20;
    const line = document.createElement('li');
    line.dataset.direction = direction;
    const time = Object.assign(document.createElement('time'), { dateTime: at, textContent: at.slice(11, 23) });
    const arrow = Object.assign(document.createElement('span'), { className: 'arrow', textContent: { in: '↑', out: '↓', note: '·' }[direction] });
    arrow.setAttribute('aria-label', { in: 'from the client', out: 'to the client', note: 'note' }[direction]);
    line.append(time, arrow, Object.assign(document.createElement('span'), { className: 'text', textContent: text }));
    list.append(line);
    while (list.children.length > 500) list.firstElementChild.remove();
    if (atEnd) list.scrollTop = list.scrollHeight;
  }

  #showTrace() {
    byId('trace').textContent = this.#trace === undefined ? 'Start' : 'Stop';
    byId('trace').setAttribute('aria-pressed', String(this.#trace !== undefined));
  }
}
