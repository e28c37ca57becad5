import { IncomingMessage, type IncomingHttpHeaders } from 'node:http';
import { Socket } from 'node:net';

/** What another process is told of a request, so that the app can be asked about it there. */
export interface ForwardableRequest {
  readonly url?: string | undefined;
  readonly headers?: IncomingHttpHeaders | undefined;
}

export function forwardable({ url, headers }: IncomingMessage): ForwardableRequest {
  return { url, headers };
}

/** A request that came to another process, as far as it was told: its connection is not here. */
export function forwarded({ url = '', headers = {} }: ForwardableRequest, method: 'GET' | 'POST'): IncomingMessage {
  const message = new IncomingMessage(new Socket());
  message.method = method;
  message.url = url;
  Object.assign(message.headers, headers);
  return message;
}
