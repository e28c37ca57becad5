import { Stanza } from '../xml/index.js';
import { passableFeatures } from './negotiation.js';

/** A server has two or three of them; an app may have many servers. */
const MAX_KNOWN = 64;
/** Characters of features that are worth being kept. */
const MAX_LENGTH = 16_384;

/** {@link passableFeatures}, looked for once: what a server offers is the same on each of its streams. */
export class FeatureFilter {
  private readonly known = new Map<string, Stanza>();

  constructor(private readonly channelBinding: 'strip' | 'pass') {}

  passable(features: Stanza): Stanza {
    const text = features.toString();
    const known = this.known.get(text);
    if (known) return known;
    const passable = passableFeatures(features, this.channelBinding);
    if (text.length > MAX_LENGTH) return passable;
    if (this.known.size >= MAX_KNOWN) this.known.clear();
    // A copy: else all that came with it would be kept.
    this.known.set(text, Stanza.parse(passable.toString()));
    return passable;
  }
}
