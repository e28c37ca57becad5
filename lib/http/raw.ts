import type { IncomingMessage, ServerResponse } from 'node:http';

/** A request of Express, which is that of Node, or of Fastify, which wraps it. */
export type HostRequest = IncomingMessage & { readonly raw?: IncomingMessage };
/** The answer to it. */
export type HostResponse = ServerResponse & { readonly raw?: ServerResponse; hijack?(): void };

/** Node's own request. */
export function rawRequest(request: HostRequest): IncomingMessage {
  return request.raw ?? request;
}

/** Node's own response, which is ours from now on: Fastify sends nothing by itself. */
export function takeResponse(response: HostResponse): ServerResponse {
  response.hijack?.();
  return response.raw ?? response;
}
