import { createServer, STATUS_CODES, type IncomingMessage, type Server } from 'node:http';
import type { Duplex } from 'node:stream';
import { Logger, type INestApplicationContext, type WebSocketAdapter } from '@nestjs/common';
import { ApplicationConfig, type HttpAdapterHost } from '@nestjs/core';
import { WsAdapter } from '@nestjs/platform-ws';
import type { WebSocket, WebSocketServer } from 'ws';
import { LOOKS_ON } from '../http/index.js';

/** Nobody serves the path of an upgrade. Node has taken its own listeners off the socket: an error without one would end the process. */
function refuseUpgrade(socket: Duplex): void {
  socket.on('error', () => socket.destroy());
  socket.once('finish', () => socket.destroy());
  socket.end(`HTTP/1.1 404 ${STATUS_CODES[404]}\r\nConnection: close\r\nContent-Length: 0\r\n\r\n`);
}

/** Marks the options, the server and the sockets of an XMPP endpoint. */
export const XMPP_ENDPOINT = Symbol.for('nestjs-xmpp:endpoint');

type Fallback = WebSocketAdapter & { dispose?: () => Promise<void>; forceCloseConnections?: boolean };
type Upgrade = (request: IncomingMessage, socket: Duplex, head: Buffer) => void;

/** The adapter that Nest takes where the app chooses none. */
export type StandardAdapter = new (server: unknown) => Fallback;

/** Loads it, if it is installed: setting any adapter switches Nest's own loading off. */
export async function loadStandardAdapter(): Promise<StandardAdapter | undefined> {
  try {
    return (await import('@nestjs/platform-socket.io')).IoAdapter as StandardAdapter;
  } catch {
    return undefined; // JSON gateways over ws
  }
}

/**
 * Serves XMPP gateways itself and hands every other gateway of the app to the adapter that the app
 * chose, or to the one that Nest would have chosen. The module installs it; an app may also write
 * `app.useWebSocketAdapter(new XmppWsAdapter(app, new IoAdapter(app)))`.
 *
 * @publicApi
 */
export class XmppWsAdapter extends WsAdapter {
  private readonly log = new Logger(XmppWsAdapter.name);
  /** What Nest would have taken, had nothing been installed. */
  private standard: StandardAdapter | undefined;
  private readonly endpoints = new WeakSet<object>();
  private readonly upgrades = new Map<Server, Upgrade>();

  /** @internal Puts an XmppWsAdapter in front of whatever app.useWebSocketAdapter() is given, before or after this call. */
  static install(config: ApplicationConfig, http: HttpAdapterHost, standard?: StandardAdapter): void {
    const chosen = config.getIoAdapter() as Fallback | null;
    if (chosen instanceof XmppWsAdapter) return;
    const adapter = new XmppWsAdapter(http, chosen ?? undefined);
    adapter.standard = standard;
    config.setIoAdapter(adapter);
    // On this instance only: what the app chooses later stands behind ours.
    config.setIoAdapter = (next) => {
      if (next instanceof XmppWsAdapter) ApplicationConfig.prototype.setIoAdapter.call(config, next);
      else adapter.fallback = next as Fallback;
    };
  }

  /**
   * @param app the Nest app whose HTTP server takes the handshakes
   * @param fallback the adapter for every other gateway of the app; none: JSON over `ws`, as `WsAdapter` has it
   */
  constructor(
    app?: INestApplicationContext | HttpAdapterHost,
    private fallback?: Fallback,
  ) {
    super(app && 'listening' in app ? undefined : app);
    if (app && 'httpAdapter' in app && !this.httpServer) {
      const host = app as HttpAdapterHost; // its server does not exist yet while providers are made
      Object.defineProperty(this, 'httpServer', { get: () => host.httpAdapter?.getHttpServer() });
    }
  }

  // The signatures are those of the base class, which types servers, clients and options as any.

  /** @internal Called by Nest. */
  override create(port: number, options: Record<PropertyKey, any> = {}): any {
    if (!options[XMPP_ENDPOINT]) {
      this.fallback ??= this.standard && new this.standard(this.httpServer);
      if (!this.fallback) return super.create(port, options);
      this.fallback.forceCloseConnections = this.forceCloseConnections;
      return this.fallback.create(port, options);
    }
    // A WsAdapter destroys every upgrade whose path is not in its own registry, so its registry is shared.
    const server: WebSocketServer =
      this.fallback instanceof WsAdapter ? this.fallback.create(port, options) : super.create(port, options);
    server.removeAllListeners('connection'); // WsAdapter's error handler logs each bad frame of each client, with its stack
    const onError = (error: Error): void => this.log.debug(error.message);
    server.on('connection', (socket: WebSocket) => socket.on('error', onError));
    this.endpoints.add(server);
    return server;
  }

  /** @internal Called by Nest. */
  override bindClientConnect(server: any, callback: (...args: any[]) => void): void {
    if (this.endpoints.has(server) || !this.fallback) return super.bindClientConnect(server, callback);
    this.fallback.bindClientConnect(server, callback);
  }

  /** @internal Called by Nest. */
  override bindClientDisconnect(client: any, callback: (...args: any[]) => void): void {
    if (client[XMPP_ENDPOINT]) return; // our gateway has no handleDisconnect(): its client listens itself
    if (!this.fallback) return super.bindClientDisconnect(client, callback);
    this.fallback.bindClientDisconnect?.(client, callback);
  }

  /** @internal Called by Nest. */
  override bindMessageHandlers(client: any, handlers: any[], transform: any): void {
    if (client[XMPP_ENDPOINT]) return; // its messages are XML documents: the gateway listens to the socket itself
    if (!this.fallback) return super.bindMessageHandlers(client, handlers, transform);
    this.fallback.bindMessageHandlers(client, handlers, transform);
  }

  /** @internal Called by Nest. */
  override async close(server: any): Promise<void> {
    if (this.endpoints.has(server) || !this.fallback) return super.close(server);
    await this.fallback.close(server);
  }

  /** @internal Called by Nest. */
  override async dispose(): Promise<void> {
    for (const [server, listener] of this.upgrades) server.off('upgrade', listener);
    this.upgrades.clear();
    await super.dispose();
    await this.fallback?.dispose?.();
  }

  /** As WsAdapter's, but an upgrade for somebody else's path is left to its owner. */
  protected override ensureHttpServerExists(port: number, httpServer: any = createServer()): any {
    if (this.httpServersRegistry.has(port)) return undefined;
    this.httpServersRegistry.set(port, httpServer);
    const listener: Upgrade = (request, socket, head) => {
      const path = (request.url ?? '/').split('?', 1)[0];
      const server = this.wsServersRegistry.get(port)?.find((candidate: { path: string }) => candidate.path === path);
      if (server) {
        server.handleUpgrade(request, socket, head, (ws: unknown) => server.emit('connection', ws, request));
      } else if (httpServer.listeners('upgrade').every((other: object) => other === listener || LOOKS_ON in other)) {
        refuseUpgrade(socket);
      }
    };
    httpServer.on('upgrade', listener);
    this.upgrades.set(httpServer, listener);
    return httpServer;
  }
}
