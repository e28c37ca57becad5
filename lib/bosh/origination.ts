import type { IncomingMessage } from 'node:http';
import type { TLSSocket } from 'node:tls';
import { peerOf } from '../http/index.js';

/** Where a session was made: every request of it has to come from there (XEP-0124, section 19.1). */
export interface Origination {
  readonly address: string;
  readonly port: number;
  readonly secure: boolean;
  /** Fingerprint of the client's certificate, if it had one. */
  readonly certificate: string | undefined;
}

export function originationOf(request: IncomingMessage, proxies: number): Origination {
  return { ...peerOf(request, proxies), certificate: certificateOf(request) };
}

/** Whether a request may belong to a session: what began over TLS goes on over TLS, with the same certificate. */
export function mayContinue(session: Origination, request: IncomingMessage, proxies: number): boolean {
  if (session.secure && !peerOf(request, proxies).secure) return false;
  return session.certificate === undefined || session.certificate === certificateOf(request);
}

function certificateOf({ socket }: IncomingMessage): string | undefined {
  const tls = socket as TLSSocket;
  return tls.encrypted ? tls.getPeerCertificate?.()?.fingerprint256 : undefined;
}
