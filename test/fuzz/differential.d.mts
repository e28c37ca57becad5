/** The modules of the gateway that take bytes in and write them; see passage.mjs. */
export interface GatewayCode {
  readonly xml: object;
  readonly WebSocketClient: object;
  readonly FrameReader: object;
  readonly FrameWriter: object;
  readonly readBody: object;
  readonly writeBody: object;
  readonly Outbox: object;
  readonly ManualClock: object;
}

export function fuzz(
  code: GatewayCode,
  seed: number,
  count: number,
  onAccepted?: (document: string) => void,
): Record<'frame' | 'stream' | 'body' | 'refused' | 'elements', number>;
