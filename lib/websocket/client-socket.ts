import type { WebSocket } from 'ws';
import type { WebSocketClient } from './client.js';

/** Knows its client, so that the listeners can be the same for all. */
export type ClientSocket = WebSocket & { client?: WebSocketClient | undefined };

function onMessage(this: ClientSocket, data: Buffer, isBinary: boolean): void {
  if (isBinary) this.client!.onBinary();
  else this.client!.onText(data, 0, data.length);
}

function onPing(this: ClientSocket, data: Buffer): void {
  this.client!.onPing(data);
}

function onPong(this: ClientSocket): void {
  this.client!.onPong();
}

function onClose(this: ClientSocket): void {
  this.client!.onSocketClose();
}

export function listen(socket: ClientSocket, client: WebSocketClient): void {
  socket.client = client;
  socket.on('message', onMessage).on('ping', onPing).on('pong', onPong).on('close', onClose);
}
