import { readBody, writeBody } from '../../lib/bosh/body.js';
import { ManualClock } from '../../lib/clock.js';
import { Outbox } from '../../lib/upstream/tcp/outbox.js';
import { WebSocketClient } from '../../lib/websocket/client.js';
import { FrameReader } from '../../lib/websocket/frame-reader.js';
import { FrameWriter } from '../../lib/websocket/frame-writer.js';
import * as xml from '../../lib/xml/index.js';
import { fuzz } from './differential.mjs';
import { compare } from './parsers.mjs';

const CODE = { xml, WebSocketClient, FrameReader, FrameWriter, readBody, writeBody, Outbox, ManualClock };

describe('what the gateway takes and hands on, against independent parsers', () => {
  it.each([1, 1_000_001, 2_000_001, 3_000_001])('R1: what we accept, others accept and read the same (seed %i)', (seed) => {
    let documents = 0;
    const seen = fuzz(CODE, seed, 1500, (document) => {
      // The others are slower: they look at some.
      if (documents++ % 20 === 0) compare(document);
    });
    // Both sides of the border are visited, by every kind of document.
    for (const kind of ['frame', 'stream', 'body'] as const) expect(seen[kind]).toBeGreaterThan(100);
    expect(seen.refused).toBeGreaterThan(300);
    expect(seen.elements).toBeGreaterThan(800);
  });
});
