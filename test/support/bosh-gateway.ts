import type { Server } from 'node:http';
import type { Socket } from 'node:net';
import type { XmppModuleOptions } from 'nestjs-xmpp';
import { BoshHttp, BoshSession, type Pending } from './bosh-client.js';
import { startGateway, type Gateway, type Platform } from './gateway.js';
import { ScriptedStream, ScriptedUpstream } from './scripted-upstream.js';

/** Every way in which the endpoint can stand in a host's app. */
export const BOSH_MODES = [
  ['express', 'router'],
  ['express', 'server'],
  ['fastify', 'router'],
  ['fastify', 'server'],
] as const;

/** A gateway with a client of its BOSH endpoint; closed after the test. */
export class BoshGateway {
  private readonly sockets = new Map<number, Socket>();

  private constructor(
    readonly gateway: Gateway,
    readonly http: BoshHttp,
  ) {
    (gateway.app.getHttpServer() as Server).on('connection', (socket: Socket) => {
      this.sockets.set(socket.remotePort!, socket);
    });
  }

  static async start(
    platform: Platform,
    ingress: 'router' | 'server',
    options: Partial<XmppModuleOptions> = {},
    upstream = new ScriptedUpstream(),
  ): Promise<BoshGateway> {
    const gateway = await startGateway(platform, { ingress, ...options }, upstream);
    return new BoshGateway(gateway, new BoshHttp(gateway.boshUrl));
  }

  get clock() {
    return this.gateway.clock;
  }

  stream(): Promise<ScriptedStream> {
    return this.gateway.upstream.streams.take();
  }

  /** A session that is open, and its stream. */
  async pair(...args: Parameters<typeof BoshSession.open> extends [unknown, ...infer Rest] ? Rest : never) {
    const [session, stream] = await Promise.all([BoshSession.open(this.http, ...args), this.stream()]);
    return { session, stream };
  }

  /** The next request of a session; it has arrived at the server when this returns, and is held unless something waits. */
  async held(session: BoshSession, stream: ScriptedStream, attributes: Record<string, string | number> = {}): Promise<{ answer: Pending }> {
    const answer = session.send(presence(`-${session.rid + 1}-`), attributes);
    await stream.seen.take((seen) => seen.includes(`-${session.rid}-`));
    return { answer };
  }

  /** Cuts the connection of a request; the gateway knows it when this returns. */
  cut({ sent }: Pending): Promise<void> {
    return this.hangUp(sent.socket!);
  }

  /** Cuts a connection; the gateway knows it when this returns. */
  async hangUp(own: Socket): Promise<void> {
    const socket = this.sockets.get(own.localPort!)!;
    // Not once(): a request that was cut in the middle is an error of the socket first.
    const closed = new Promise<void>((resolve) => socket.on('close', () => resolve()));
    own.destroy();
    await closed;
  }

  async close(): Promise<void> {
    this.http.close();
    await this.gateway.close();
  }
}

export const presence = (id: number | string) => `<presence xmlns='jabber:client' id='p${id}'/>`;
export const message = (id: number | string) =>
  `<message xmlns='jabber:client' from='bob@example.org/x' id='m${id}'><body>x</body></message>`;
