import type { Stanza } from '../../lib/xml/index.js';
import type { GatewayCode } from './differential.mjs';

export function passage(code: GatewayCode): {
  toServer(stanzas: readonly Stanza[]): string;
  frame(source: Buffer, cut?: (bytes: Buffer) => Buffer[]): { readonly sent: readonly Stanza[]; readonly open: boolean };
  body(source: Buffer): readonly Stanza[] | undefined;
  stream(chunks: readonly Buffer[], next?: readonly Buffer[]): readonly (readonly Stanza[])[];
  toWebSocket(stanzas: readonly Stanza[]): string[];
  toBosh(stanzas: readonly Stanza[]): string;
};
