import { NS, type Stanza } from '../xml/index.js';

/** What an element that passed meant for the session. */
export type Progress = 'authenticated' | 'bound' | 'resumed' | undefined;

/** Where the JIDs of resumable streams are remembered: stream management id to full JID. */
export interface Resumptions {
  remember(id: string, jid: string): void;
  recall(id: string): string | undefined;
}

/**
 * What the passing elements say about the stream: who the client is, by the server's word alone,
 * and whether its stream can be resumed. Takes out of the features what cannot work through a
 * gateway.
 */
export class Negotiation {
  /** Full JID, as the server said it. */
  jid: string | undefined;
  authenticated = false;
  /** Stream management runs: stanzas that we would add break its counters (XEP-0198, section 4). */
  managed = false;
  /** The server keeps the stream for resumption when its connection is cut. */
  resumable = false;

  private smId: string | undefined;
  /** A login by XEP-0078 whose answer is awaited. */
  private legacy: { id: string; jid: string } | undefined;
  /** Identifiers of the requests that the client sent so far: an answer to one of them proves nothing about another. */
  private asked: Set<string> | undefined;
  /** The stream is one that was resumed, or a resource is bound: no answer to a request names the client any more. */
  private settled = false;

  constructor(
    private readonly domain: string,
    private readonly resumptions: Resumptions,
  ) {}

  /** An element on its way to the server, looked at until a resource is bound. */
  outgoing(stanza: Stanza): void {
    if (stanza.kind !== 'iq' || this.authenticated) return;
    const id = stanza.attribute('id') ?? '';
    const asked = (this.asked ??= new Set());
    const fresh = id.length > 0 && id.length <= 64 && asked.size < MAX_ASKED && !asked.has(id);
    if (fresh) asked.add(id);
    else if (this.legacy?.id === id) this.legacy = undefined;
    const query = fresh && stanza.attribute('type') === 'set' ? stanza.child('query', 'jabber:iq:auth') : undefined;
    const username = query?.child('username')?.text();
    const resource = query?.child('resource')?.text();
    if (username && resource && !/[@/\s]/.test(username)) {
      this.legacy = { id, jid: `${username}@${this.domain}/${resource}` };
    }
  }

  /** An element on its way to the client: any that is no stanza, and all until a resource is bound. */
  incoming(stanza: Stanza): Progress {
    if (stanza.kind === 'iq') return this.iq(stanza);
    switch (stanza.namespace) {
      case NS.sasl:
        return stanza.name === 'success' ? this.authenticate() : undefined;
      case NS.sasl2:
        return stanza.name === 'success' ? this.sasl2(stanza) : undefined;
      case NS.sm:
      case 'urn:xmpp:sm:2':
        return this.streamManagement(stanza);
      default:
        return undefined;
    }
  }

  private authenticate(): Progress {
    this.authenticated = true;
    this.legacy = this.asked = undefined;
    return 'authenticated';
  }

  private bind(jid: string): Progress {
    this.authenticated = this.settled = true;
    this.legacy = this.asked = undefined;
    this.jid = jid;
    if (this.smId) this.resumptions.remember(this.smId, jid);
    return 'bound';
  }

  private iq(stanza: Stanza): Progress {
    if (this.settled || stanza.attribute('type') !== 'result') return undefined;
    // Another client, whose stanzas carry its full JID, could send what looks the same.
    const from = stanza.attribute('from') ?? this.domain;
    if (from === this.domain && this.legacy && stanza.attribute('id') === this.legacy.id) return this.bind(this.legacy.jid);
    const jid = stanza.child('bind', NS.bind)?.child('jid', NS.bind)?.text();
    return jid && (from === this.domain || jid.startsWith(`${from}/`)) ? this.bind(jid) : undefined;
  }

  /** XEP-0388: the identifier is a full JID where a resource was bound with it (XEP-0386). */
  private sasl2(success: Stanza): Progress {
    this.authenticate();
    const jid = success.child('authorization-identifier', NS.sasl2)?.text();
    let progress: Progress = 'authenticated';
    if (jid?.includes('/')) progress = this.bind(jid);
    for (const inline of success.children()) {
      const found = inline.name === 'bound' ? inline.children() : [inline];
      for (const element of found) {
        if (element.namespace === NS.sm) progress = this.streamManagement(element) ?? progress;
      }
    }
    return progress;
  }

  private streamManagement(element: Stanza): Progress {
    if (element.name === 'enabled') {
      const resume = element.attribute('resume');
      this.managed = true;
      this.resumable = resume === 'true' || resume === '1';
      this.smId = element.attribute('id');
      if (this.smId && this.jid) this.resumptions.remember(this.smId, this.jid);
    } else if (element.name === 'resumed') {
      this.managed = this.resumable = this.authenticated = this.settled = true;
      this.smId = element.attribute('previd');
      this.jid = (this.smId && this.resumptions.recall(this.smId)) ?? this.jid;
      return 'resumed';
    }
    return undefined;
  }
}

/**
 * The server's features without those that cannot work through a gateway: TLS and compression of
 * the stream (RFC 7395, section 3.9; XEP-0206, section 4), channel binding, whose channel ends
 * here, and EXTERNAL, whose certificate would be ours.
 */
export function passableFeatures(features: Stanza, channelBinding: 'strip' | 'pass' = 'strip'): Stanza {
  const binds = channelBinding === 'pass';
  return features.mapChildren((feature) => {
    switch (feature.namespace) {
      case NS.tls:
      case NS.compressFeature:
      case NS.compress:
        return undefined;
      case NS.saslChannelBinding:
        return binds ? feature : undefined;
      case NS.sasl:
      case NS.sasl2:
        return passableMechanisms(feature, binds);
      default:
        return feature;
    }
  });
}

/** Of SASL, of SASL2, and of FAST inside SASL2's `<inline/>` (XEP-0484). */
function passableMechanisms(list: Stanza, binds: boolean): Stanza {
  return list.mapChildren((child) => {
    if (child.name === 'mechanism') return isPassable(child.text().trim(), binds) ? child : undefined;
    return child.name === 'inline' || child.name === 'fast' ? passableMechanisms(child, binds) : child;
  });
}

/** Channel binding is `-PLUS` in SCRAM; in the HT mechanisms of FAST all but `-NONE` name a kind of it. */
function isPassable(mechanism: string, binds: boolean): boolean {
  return (binds || !/-PLUS$|^HT-.*-(?:ENDP|UNIQ|EXPR)$/.test(mechanism)) && mechanism !== 'EXTERNAL';
}

/** Requests before authentication that a legacy login may follow. */
const MAX_ASKED = 32;
