import type { IncomingMessage } from 'node:http';
import { Inject, Injectable, Logger } from '@nestjs/common';
import { ApplicationConfig, HttpAdapterHost } from '@nestjs/core';
import { WebSocketGateway, type OnGatewayConnection, type OnGatewayInit } from '@nestjs/websockets';
import type { WebSocketServer } from 'ws';
import { Clock } from '../clock.js';
import { Origins, peerOf, Unfinished } from '../http/index.js';
import { SessionRefused, SessionRegistry } from '../session/index.js';
import { Sharing } from '../shared/index.js';
import { DEFAULT_LIMITS, Scanner } from '../xml/index.js';
import { XMPP_OPTIONS, type ResolvedOptions } from '../xmpp.options.js';
import type { ClientSocket } from './client-socket.js';
import { WebSocketClient, type WebSocketContext } from './client.js';
import { FrameReader } from './frame-reader.js';
import { XMPP_ENDPOINT, XmppWsAdapter, type StandardAdapter } from './xmpp-ws.adapter.js';

/** Injection token of the adapter that other gateways of the app get where it chose none. */
export const STANDARD_ADAPTER = Symbol('STANDARD_ADAPTER');

/** RFC 7395, section 3.1. */
const SUBPROTOCOL = 'xmpp';

interface Refusal {
  status: number;
  message: string;
  headers?: Record<string, string>;
}

/** The WebSocket endpoint (RFC 7395). */
@Injectable()
@WebSocketGateway()
export class XmppGateway implements OnGatewayInit, OnGatewayConnection {
  private readonly logger = new Logger(XmppGateway.name);
  private readonly origins: Origins;
  private readonly clients = new Set<WebSocketClient>();
  private readonly context: WebSocketContext;
  private empty: (() => void) | undefined;

  constructor(
    private readonly sessions: SessionRegistry,
    sharing: Sharing,
    @Inject(XMPP_OPTIONS) private readonly options: ResolvedOptions,
    clock: Clock,
    config: ApplicationConfig,
    http: HttpAdapterHost,
    @Inject(STANDARD_ADAPTER) standard: StandardAdapter | undefined,
    unfinished: Unfinished,
  ) {
    this.origins = new Origins(options.origins);
    this.context = {
      options,
      clock,
      sessions,
      sharing,
      unfinished,
      scanner: new Scanner({ ...DEFAULT_LIMITS, ...options.limits }),
      onGone: (client) => {
        this.clients.delete(client);
        if (this.clients.size === 0) this.empty?.();
      },
      onError: (error) => this.logger.error(error),
    };
    // Nest reads a gateway's metadata in app.init(), after every provider exists, so options of
    // forRootAsync() can still be written there. `new.target` is the subclass made for one forRoot().
    WebSocketGateway(this.serverOptions())(new.target);
    XmppWsAdapter.install(config, http, standard);
  }

  /** WebSockets that are open. */
  get connections(): number {
    return this.clients.size;
  }

  /** What is kept for clients; counted when it is asked for. */
  load(): { readonly bufferedBytes: number } {
    let bufferedBytes = 0;
    for (const { writer } of this.clients) bufferedBytes += writer.bytes;
    return { bufferedBytes };
  }

  // Types of ws stay out of the published ones: apps need not have them.

  afterInit(created: object): void {
    const server = created as WebSocketServer;
    const Base = server.options.WebSocket!; // of the adapter's own copy of ws
    server.options.WebSocket = class extends Base {
      readonly [XMPP_ENDPOINT] = true;
      client: WebSocketClient | undefined = undefined;

      /**
       * Also called by ws itself: to answer the peer's close frame, and after a message that is too
       * large (1009) or not UTF-8 (1007). What was said before has to leave first.
       */
      override close(code?: number, reason?: string | Buffer): void {
        if (this.readyState === Base.OPEN) this.client?.onClosing(code);
        super.close(code, reason);
      }
    } as typeof Base;
  }

  /** What is thrown here would end the process. */
  handleConnection(connected: object, request: IncomingMessage): void {
    const socket = connected as ClientSocket;
    try {
      const peer = peerOf(request, this.options.trustProxy);
      const client = new WebSocketClient(socket, request, peer, this.context);
      this.clients.add(client);
      FrameReader.install(socket, request.socket, this.options.websocket.maxFrameBytes, client);
      client.countUnfinished(request.socket);
    } catch (error) {
      this.logger.error(error);
      socket.terminate();
    }
  }

  /**
   * Ends every connection; to be called when the sessions were ended.
   * @returns when all are gone, or cut after `grace` milliseconds
   */
  async shutdown(grace: number): Promise<void> {
    for (const client of this.clients) client.shutdown();
    if (this.clients.size === 0) return;
    await new Promise<void>((resolve) => {
      this.empty = resolve;
      setTimeout(resolve, grace).unref();
    });
    for (const client of this.clients) client.terminate();
  }

  private serverOptions() {
    const { path, maxFrameBytes } = this.options.websocket;
    return {
      [XMPP_ENDPOINT]: true,
      path,
      maxPayload: maxFrameBytes,
      perMessageDeflate: false,
      clientTracking: true,
      skipUTF8Validation: false,
      // Each piece costs some hundred bytes, however small it is: those of a frame, or of a message, have 64 on average.
      maxFragments: Math.max(1024, maxFrameBytes / 64),
      maxBufferedChunks: Math.max(1024, maxFrameBytes / 64),
      // Whoever pings and never reads would fill the memory with pongs.
      autoPong: false,
      handleProtocols: (offered: Set<string>) => (offered.has(SUBPROTOCOL) ? SUBPROTOCOL : false),
      verifyClient: (
        { req }: { req: IncomingMessage },
        done: (admitted: boolean, code?: number, message?: string, headers?: Record<string, string>) => void,
      ) => {
        const refusal = this.refusal(req);
        if (refusal) done(false, refusal.status, refusal.message, refusal.headers);
        else done(true);
      },
    };
  }

  /** Before there is a WebSocket, HTTP tells why there will be none. */
  private refusal(request: IncomingMessage): Refusal | undefined {
    const offered = (request.headers['sec-websocket-protocol'] ?? '').split(',');
    if (!offered.some((protocol) => protocol.trim() === SUBPROTOCOL)) {
      const headers = { 'Sec-WebSocket-Protocol': SUBPROTOCOL };
      return { status: 400, message: 'The xmpp subprotocol is required', headers };
    }
    if (!this.origins.admits(request)) return { status: 403, message: 'Origin not allowed' };
    try {
      const place = this.sessions.enter(peerOf(request, this.options.trustProxy).address);
      request.socket.on('close', () => place.release());
      return undefined;
    } catch (error) {
      if (!(error instanceof SessionRefused)) throw error;
      const headers: Record<string, string> = error.retryAfter ? { 'Retry-After': String(error.retryAfter) } : {};
      return { status: error.status, message: error.message, headers };
    }
  }
}
