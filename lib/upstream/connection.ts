import { Logger } from '@nestjs/common';
import { SystemClock, type Clock } from '../clock.js';
import { Scanner, type ScanLimits } from '../xml/index.js';

/** What all connections to an XMPP server have in common. Seconds and bytes everywhere. */
export interface ConnectionOptions {
  /** Default: a clock of its own. */
  readonly clock?: Clock | undefined;
  /** Bytes of one top-level element from the server; a larger one ends the stream. Default: 4 MiB. */
  readonly maxStanzaBytes?: number | undefined;
  /**
   * Limits of the XML that comes from the server. What crosses them ends the stream, so they are wide: else a
   * contact could end the sessions of others with a stanza that their servers let through.
   */
  readonly scanLimits?: Partial<ScanLimits> | undefined;
  /** Bytes that wait for the server beyond which `send()` returns false; at least 64 KiB. Default: 256 KiB. */
  readonly highWaterMark?: number | undefined;
  /** Whether the server's certificate is verified. Turning it off is logged. Default: true. */
  readonly verify?: boolean | undefined;
  /**
   * Certificate authorities (PEM) to trust instead of those that Node trusts; the environment
   * variable `NODE_EXTRA_CA_CERTS` adds to Node's.
   */
  readonly ca?: string | Buffer | (string | Buffer)[] | undefined;
  /** Seconds for the name look-up, and again for the connection. Default: 10. */
  readonly connectTimeout?: number | undefined;
  /** Seconds for the TLS handshake. Default: 10. */
  readonly handshakeTimeout?: number | undefined;
  /** Seconds for the server's stream header and features. Default: 10. */
  readonly openTimeout?: number | undefined;
}

/** {@link ConnectionOptions} with every default filled in; times in milliseconds. */
export interface ConnectionSettings {
  readonly clock: Clock;
  readonly maxStanzaBytes: number;
  /** One for all streams. */
  readonly scanner: Scanner;
  readonly highWaterMark: number;
  readonly verify: boolean;
  readonly ca: string | Buffer | (string | Buffer)[] | undefined;
  readonly connectTimeout: number;
  readonly handshakeTimeout: number;
  readonly openTimeout: number;
}

/** As wide as all that looks at stanzas later can deal with. */
const SCAN_LIMITS: ScanLimits = { maxDepth: 1000, maxAttributes: 1000, maxNamespaces: 31, maxNameBytes: 1024, maxValueBytes: Infinity };

/** Milliseconds for the server to answer when a stream is closed, and to take what was sent before. */
export const CLOSE_TIMEOUT = 2000;

/** Bytes that wait for a stream that is not open yet beyond which `send()` returns false: its client has not logged in. */
export const MAX_EARLY_BYTES = 64 * 1024;

/** Bytes that may wait for a stream that is not open yet; more ends it. */
export const MAX_WAITING_BYTES = 4 * 1024 * 1024;

/** @param name of the upstream, for the warning when certificates are not verified */
export function connectionSettings(options: ConnectionOptions, name: string): ConnectionSettings {
  const verify = options.verify ?? true;
  if (!verify) {
    new Logger('XmppUpstream').warn(`${name}: the server's certificate is not verified; anyone on the way can read and change the streams`);
  }
  return {
    clock: options.clock ?? new SystemClock(),
    maxStanzaBytes: options.maxStanzaBytes ?? 4 * 1024 * 1024,
    scanner: new Scanner({ ...SCAN_LIMITS, ...options.scanLimits }),
    // A socket tells that it is drained only when its own mark was passed: 16 or 64 KiB, by version of Node.
    highWaterMark: Math.max(options.highWaterMark ?? 256 * 1024, 64 * 1024),
    verify,
    ca: options.ca,
    connectTimeout: (options.connectTimeout ?? 10) * 1000,
    handshakeTimeout: (options.handshakeTimeout ?? 10) * 1000,
    openTimeout: (options.openTimeout ?? 10) * 1000,
  };
}
