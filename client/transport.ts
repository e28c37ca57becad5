import { elementsOf, readAnswer, type SharedAnswer } from './attributes.js';
import { Status, type Attributes, type ConnectionInternals, type TransportInternals } from './strophe.js';

/** What is to happen where a transport opens and closes a stream. */
export interface TransportEvents {
  /** Further attributes for the `<body/>` or `<open/>` that opens a stream. */
  opening(): Attributes;
  /** Of the one that ends it. */
  closing(): Attributes;
  /** Of any other. */
  passing(): Attributes;
  /**
   * The stream is open.
   * @param first `<body/>`, or the first frame in a wrapper: with the features
   * @returns true when the client has nothing to negotiate
   */
  answered(answer: SharedAnswer, first: Element): boolean;
}

/**
 * Watches how a transport of Strophe opens and closes streams. Methods are replaced on this one object; Strophe's
 * classes stay as they are.
 */
export function watchTransport(transport: TransportInternals, events: TransportEvents): void {
  /** The next element that is built opens a stream; a restart is none. */
  let opening = false;
  /** The next one ends it. */
  let closing = false;
  /** The stream was asked for, and is not open yet. */
  let unanswered = false;
  /** Of `<open/>`: the features are in another frame. */
  let answer: SharedAnswer | undefined;

  const { _connect, _connect_cb } = transport;
  transport._connect = (...parameters) => {
    opening = unanswered = true;
    answer = undefined;
    _connect.apply(transport, parameters);
  };
  transport._connect_cb = (element) => {
    const code = _connect_cb.call(transport, element);
    if (!unanswered || code === Status.CONNFAIL) return code;
    if (element.localName === 'open') {
      answer = readAnswer(element);
      return code;
    }
    unanswered = false;
    // Strophe goes no further when it is told that this failed: no login, no sign of a fault to anybody.
    return events.answered(answer ?? readAnswer(element), element) ? Status.CONNFAIL : code;
  };

  const build = transport._buildBody ? '_buildBody' : '_buildStream';
  const original = transport[build];
  transport[build] = () => {
    const element = original!.call(transport);
    element.attrs(opening ? events.opening() : closing ? events.closing() : events.passing());
    opening = closing = false;
    return element;
  };

  const { _sendTerminate, _disconnect, _reqToData } = transport;
  if (_sendTerminate && _reqToData) {
    transport._sendTerminate = (presence) => {
      closing = true;
      _sendTerminate.call(transport, presence);
    };
    // A part of an answer is handed on in place of the request.
    transport._reqToData = (request) => (isElement(request) ? request : _reqToData.call(transport, request));
    return;
  }
  transport._disconnect = (presence) => {
    const { socket } = transport;
    const attributes = Object.entries(events.closing()).map(([name, value]) => ` ${name}="${value}"`);
    if (!socket || attributes.length === 0) return _disconnect.call(transport, presence);
    // Strophe builds `<close/>` where nobody can reach it.
    const { send } = socket;
    socket.send = (text) => send.call(socket, text.replace(/^<close\b/, `<close${attributes.join('')}`));
    _disconnect.call(transport, presence);
    socket.send = send;
  };
}

/** Sends an element that can carry attributes: an empty `<body/>`, or `<open/>`, which restarts the stream. */
export function sendCarrier(connection: ConnectionInternals): void {
  connection._data.push('_buildBody' in connection._proto ? null : 'restart');
  connection.flush();
}

/**
 * Takes out of the traffic what is not for Strophe's handlers, each at its place: after what came before it, and
 * before what comes after it.
 */
export function divert(
  connection: ConnectionInternals,
  isDiverted: (stanza: Element) => boolean,
  take: (stanza: Element) => void,
  /** Told of each `<body/>`, or of each frame: `<open/>`, or another in a wrapper. */
  onEnvelope: (envelope: Element) => void,
): void {
  const { _dataRecv } = connection;
  connection._dataRecv = (data, raw) => {
    const whole = isElement(data) ? data : connection._proto._reqToData?.(data);
    if (!whole) return;
    onEnvelope(whole);
    const stanzas = elementsOf(whole);
    // What comes with the end of a session, Strophe does not read.
    if (whole.getAttribute('type') === 'terminate' || !stanzas.some(isDiverted)) {
      return _dataRecv.call(connection, whole, raw);
    }
    let part = whole.cloneNode(false) as Element;
    const handOn = (): void => {
      if (!part.firstChild) return;
      _dataRecv.call(connection, part);
      part = whole.cloneNode(false) as Element;
    };
    for (const stanza of stanzas) {
      if (!isDiverted(stanza)) {
        part.appendChild(stanza);
        continue;
      }
      handOn();
      take(stanza);
    }
    handOn();
  };
}

function isElement(data: unknown): data is Element {
  return (data as Partial<Element>).nodeType === 1;
}
