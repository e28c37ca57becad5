import { NS, type Stanza } from '../../xml/index.js';
import type { StartTlsPolicy } from './target.js';

/** What an element that came before TLS leads to. */
export type StartTlsStep =
  /** Ask for TLS. */
  | 'request'
  /** Begin with TLS; what came behind this element is not to be believed. */
  | 'begin'
  /** Go on in clear: the element belongs to the stream. */
  | 'clear'
  /** The server cannot be used, for this reason. */
  | { readonly failure: string };

export const STARTTLS = `<starttls xmlns='${NS.tls}'/>`;

/** The negotiation of TLS on one connection (RFC 6120, section 5.4). */
export class StartTls {
  private requested = false;

  constructor(private readonly policy: StartTlsPolicy) {}

  next(element: Stanza): StartTlsStep {
    if (this.requested) {
      if (element.is('proceed', NS.tls)) return 'begin';
      return { failure: element.is('failure', NS.tls) ? 'the server failed to start TLS' : 'the server did not answer to STARTTLS' };
    }
    const offer = element.is('features', NS.streams) ? element.child('starttls', NS.tls) : undefined;
    if (this.policy === 'never') {
      return offer?.child('required', NS.tls) ? { failure: 'the server requires STARTTLS, which is set to never' } : 'clear';
    }
    if (offer) {
      this.requested = true;
      return 'request';
    }
    return this.policy === 'required' ? { failure: 'the server does not offer STARTTLS, which is required' } : 'clear';
  }
}
