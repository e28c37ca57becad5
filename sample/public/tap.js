/**
 * @typedef {object} Frame
 * @property {'out' | 'in' | 'event'} direction an event is what happened to the connection itself
 * @property {'WebSocket' | 'BOSH'} transport
 * @property {string} text the XML, or for an event a sentence
 * @property {string} [note] such as the HTTP status
 * @property {{ kind: 'closed' | 'unreachable', code?: number }} [loss] the connection is gone, or a request failed
 */

/**
 * Shows what the browser's own WebSocket and XMLHttpRequest carry. Strophe has hooks of its own, but they leave out
 * stream errors and show a BOSH body written anew rather than the one that came.
 *
 * @param {(frame: Frame) => void} observe called before Strophe sees the frame
 */
export function tap(observe) {
  tapWebSocket(observe);
  tapXMLHttpRequest(observe);
}

function tapWebSocket(observe) {
  const transport = 'WebSocket';
  const event = (text, loss) => observe({ direction: 'event', transport, text, loss });
  globalThis.WebSocket = class extends WebSocket {
    constructor(url, protocols) {
      super(url, protocols);
      this.addEventListener('open', () => event(`WebSocket open, subprotocol ${this.protocol || 'none'}`));
      this.addEventListener('message', ({ data }) => observe({ direction: 'in', transport, text: String(data) }));
      this.addEventListener('close', ({ code, reason }) => {
        event(`WebSocket closed: ${code}${reason && ` ${reason}`}`, { kind: 'closed', code });
      });
    }

    send(data) {
      observe({ direction: 'out', transport, text: String(data) });
      super.send(data);
    }
  };
}

function tapXMLHttpRequest(observe) {
  const transport = 'BOSH';
  globalThis.XMLHttpRequest = class extends XMLHttpRequest {
    #aborted = false;

    constructor() {
      super();
      // Not `load`: it comes after Strophe has handled the answer and sent the next request.
      this.addEventListener('readystatechange', () => {
        if (this.readyState !== XMLHttpRequest.DONE) return;
        if (this.status > 0) {
          const loss = this.status >= 500 ? { kind: 'unreachable', code: this.status } : undefined;
          observe({ direction: 'in', transport, text: this.responseText, note: `HTTP ${this.status}`, loss });
        } else if (this.#aborted) {
          observe({ direction: 'event', transport, text: 'Request given up' });
        } else {
          observe({ direction: 'event', transport, text: 'Request failed: no answer', loss: { kind: 'unreachable' } });
        }
      });
    }

    send(body) {
      this.#aborted = false;
      observe({ direction: 'out', transport, text: String(body ?? ''), note: 'POST' });
      super.send(body);
    }

    abort() {
      this.#aborted = true;
      super.abort();
    }
  };
}
