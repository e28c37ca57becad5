/** What the responses of Express and Fastify have in common. */
export interface Reply {
  status(code: number): this;
  header(name: string, value: string): this;
  send(body?: string | Buffer): unknown;
}
