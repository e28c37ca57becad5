import * as xml from '../../lib/xml/index.js';
import { fuzz } from './differential.mjs';

describe('scanner, splitter and Stanza against an independent parser', () => {
  it.each([1, 1_000_001, 2_000_001, 3_000_001])('R1: what we accept, others accept and read the same (seed %i)', (seed) => {
    const seen = fuzz(xml, seed, 1500);
    // Both sides of the border are visited, by every kind of document.
    for (const kind of ['frame', 'stream', 'body'] as const) expect(seen[kind]).toBeGreaterThan(100);
    expect(seen.refused).toBeGreaterThan(300);
    expect(seen.elements).toBeGreaterThan(800);
  });
});
