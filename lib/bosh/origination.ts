import type { IncomingMessage } from 'node:http';
import type { TLSSocket } from 'node:tls';
import type { Peer } from '../http/index.js';

/** Where a session was made: every request of it has to come from there (XEP-0124, section 19.1). */
export interface Origination {
  readonly address: string;
  readonly port: number;
  readonly secure: boolean;
  /** Fingerprint of the client's certificate, if it had one. */
  readonly certificate: string | undefined;
}

/** Who sent a request, each part told when it is asked for. */
export interface Sender {
  readonly peer: Peer;
  readonly certificate: string | undefined;
}

export function originationOf({ peer, certificate }: Sender): Origination {
  const { address, port, secure } = peer;
  return { address, port, secure, certificate };
}

/** Whether a request may belong to a session: what began over TLS goes on over TLS, with the same certificate. */
export function mayContinue(session: Origination, sender: Sender): boolean {
  if (session.secure && !sender.peer.secure) return false;
  return session.certificate === undefined || session.certificate === sender.certificate;
}

/** Fingerprint of the client's certificate. */
export function certificateOf({ socket }: IncomingMessage): string | undefined {
  const tls = socket as TLSSocket;
  return tls.encrypted ? tls.getPeerCertificate?.()?.fingerprint256 : undefined;
}
