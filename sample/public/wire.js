import { senderOf, SHARED_BOSH } from './client/index.js';
import { render, title, tokenize } from './xml-view.js';

/** Frames kept, on the page and while paused. */
const MAX_FRAMES = 500;
/** Characters shown of one frame. */
const MAX_CHARACTERS = 16_384;
/** Pixels from the end within which the pane follows what comes. */
const FOLLOW = 48;

const ARROWS = { out: '↑', in: '↓', event: '•' };
const WORDS = { out: 'Sent', in: 'Received', event: 'Event' };
const bytes = new TextEncoder();

/** The pane that lists what goes over the wire. Secrets are masked before anything is kept. */
export class WirePane {
  #frames = [];
  #held = [];
  #paused = false;
  #raw = false;
  #total = 0;
  #following = true;

  /** @param {{ list, scroller, count, empty, pause, clear, raw }} elements of the page */
  constructor(elements) {
    this.elements = elements;
    elements.pause.addEventListener('click', () => this.#pause(!this.#paused));
    elements.clear.addEventListener('click', () => this.#clear());
    elements.raw.addEventListener('click', () => this.#showRaw(!this.#raw));
    this.#follow(elements.scroller);
    this.#count();
  }

  /** Whoever scrolled up to read stays there; at the end, the pane stays at the end, whatever its size becomes. */
  #follow(scroller) {
    let top = 0;
    scroller.addEventListener('scroll', () => {
      // What grows below does not move the top: only a reader moves it up.
      if (scroller.scrollHeight - scroller.scrollTop - scroller.clientHeight < FOLLOW) this.#following = true;
      else if (scroller.scrollTop < top) this.#following = false;
      top = scroller.scrollTop;
    });
    new ResizeObserver(() => this.#toEnd()).observe(scroller);
  }

  #toEnd() {
    const { scroller } = this.elements;
    if (this.#following) scroller.scrollTop = scroller.scrollHeight;
  }

  /** @param {import('./tap.js').Frame} frame */
  add({ direction, transport, text, note }) {
    const xml = direction !== 'event' && text !== '';
    const tokens = xml ? tokenize(text) : [];
    const frame = {
      direction,
      at: new Date(),
      title: direction === 'event' ? text : xml ? title(tokens) : 'empty',
      note: [transport === 'BOSH' ? note : undefined, direction === 'event' ? undefined : size(text)].filter(Boolean).join(' · '),
      senders: direction === 'in' ? sendersIn(text) : [],
      tokens,
    };
    this.#total++;
    if (this.#paused) bounded(this.#held, frame);
    else this.#show([frame]);
    this.#count();
  }

  #show(frames) {
    const { list, empty } = this.elements;
    for (const frame of frames) {
      frame.item = this.#item(frame);
      list.append(frame.item);
      bounded(this.#frames, frame)?.item.remove();
    }
    empty.hidden = true;
    this.#toEnd();
  }

  #item(frame) {
    const item = document.createElement('li');
    item.dataset.direction = frame.direction;
    const head = document.createElement('p');
    head.className = 'frame-head';
    head.append(
      part('arrow', ARROWS[frame.direction], true),
      part('visually-hidden', WORDS[frame.direction]),
      part('frame-title', frame.title),
      ...copyMark(frame.senders),
      part('frame-note', frame.note),
      part('frame-time', time(frame.at)),
    );
    item.append(head);
    if (frame.tokens.length > 0) {
      frame.code = document.createElement('pre');
      this.#fill(frame);
      item.append(frame.code);
    }
    return item;
  }

  #fill({ code, tokens }) {
    code.replaceChildren(render(tokens, { pretty: !this.#raw, limit: MAX_CHARACTERS }));
  }

  #pause(paused) {
    this.#paused = paused;
    this.elements.pause.setAttribute('aria-pressed', String(paused));
    if (!paused) this.#show(this.#held.splice(0));
    this.#count();
  }

  #clear() {
    this.elements.list.replaceChildren();
    this.#frames = [];
    this.#held = [];
    this.#total = 0;
    this.elements.empty.hidden = false;
    this.#count();
  }

  #showRaw(raw) {
    this.#raw = raw;
    this.elements.raw.setAttribute('aria-pressed', String(raw));
    for (const frame of this.#frames) if (frame.code) this.#fill(frame);
    this.#toEnd();
  }

  #count() {
    const waiting = this.#held.length;
    const frames = this.#total === 1 ? '1 frame' : `${this.#total} frames`;
    const last = this.#total > MAX_FRAMES ? `last ${MAX_FRAMES} of ${frames}` : frames;
    this.elements.count.textContent = this.#paused ? `paused, ${waiting} waiting` : last;
  }
}

/** Appends, and returns what had to go for it. */
function bounded(list, entry) {
  list.push(entry);
  return list.length > MAX_FRAMES ? list.shift() : undefined;
}

function part(className, text, decorative = false) {
  const span = document.createElement('span');
  span.className = className;
  span.textContent = text;
  if (decorative) span.setAttribute('aria-hidden', 'true');
  return span;
}

/** Numbers of the tabs whose stanzas are copied in a frame (`shared:sent`). */
function sendersIn(text) {
  if (!text.includes(SHARED_BOSH)) return [];
  const { documentElement } = new DOMParser().parseFromString(text, 'text/xml');
  const senders = [documentElement, ...documentElement.children].map(senderOf);
  return [...new Set(senders.filter((sender) => sender !== undefined))];
}

function copyMark(senders) {
  return senders.length > 0 ? [part('frame-copy', `copy of tab ${senders.join(', ')}`)] : [];
}

function size(text) {
  const length = bytes.encode(text).length;
  return length < 1024 ? `${length} B` : `${(length / 1024).toFixed(1)} KB`;
}

/** Local time with milliseconds. */
function time(at) {
  const two = (number, width = 2) => String(number).padStart(width, '0');
  return `${two(at.getHours())}:${two(at.getMinutes())}:${two(at.getSeconds())}.${two(at.getMilliseconds(), 3)}`;
}
