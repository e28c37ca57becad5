/**
 * The tabs of this browser that are on one stream. Each holds a lock of its own and greets the others; whoever waits
 * for that lock learns that its tab is gone, however it went. Browsers have locks on https and localhost only:
 * elsewhere the number stays unknown, and every tab acts.
 */
export class Tabs {
  /** This tab does what only one should do, such as confirming what all received. */
  first = true;

  #others = new Set();
  #channel;
  #present = new AbortController();

  /** @param {() => void} onChange called when there are more tabs, or fewer */
  constructor(onChange) {
    this.onChange = onChange;
  }

  /** Other tabs; undefined where nobody can know. */
  get others() {
    return navigator.locks ? this.#others.size : undefined;
  }

  /**
   * @param {string} stream full JID
   * @param {boolean} created by this tab, so that nobody was there before
   */
  join(stream, created) {
    this.leave();
    this.first = created;
    if (!navigator.locks) this.first = true;
    else this.#meet(`nestjs-xmpp.demo:${stream}`);
  }

  leave() {
    this.#present.abort();
    this.#channel?.close();
    this.#channel = undefined;
    this.#others.clear();
    this.first = true;
    this.onChange();
  }

  #meet(name) {
    const id = crypto.randomUUID();
    const present = (this.#present = new AbortController());
    const { signal } = present;
    const channel = (this.#channel = new BroadcastChannel(name));
    const untilLeaving = (act) => new Promise((release) => {
      if (signal.aborted) return release();
      signal.addEventListener('abort', release);
      act();
    });
    let greeted = false;
    channel.onmessage = ({ data: { tab, answer } }) => {
      // Before the lock is held, others would take it for that of a tab that has gone.
      if (!answer && greeted) channel.postMessage({ tab: id, answer: true });
      this.#watch(name, tab, signal);
    };
    const greet = () => {
      greeted = true;
      channel.postMessage({ tab: id, answer: false });
    };
    void request(`${name}:${id}`, 'exclusive', signal, () => untilLeaving(greet));
    void request(`${name}:first`, 'exclusive', signal, () => untilLeaving(() => (this.first = true)));
    this.onChange();
  }

  #watch(name, tab, signal) {
    if (this.#others.has(tab)) return;
    this.#others.add(tab);
    this.onChange();
    void request(`${name}:${tab}`, 'shared', signal, () => {
      if (signal.aborted) return;
      this.#others.delete(tab);
      this.onChange();
    });
  }
}

async function request(name, mode, signal, granted) {
  try {
    await navigator.locks.request(name, { mode, signal }, granted);
  } catch (error) {
    if (error.name !== 'AbortError') throw error;
  }
}
