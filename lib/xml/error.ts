/** The stream error conditions of RFC 6120, section 4.9.3, that faulty XML leads to. */
export type XmlCondition =
  'bad-format' | 'not-well-formed' | 'restricted-xml' | 'policy-violation' | 'unsupported-encoding';

/** What the scanner found wrong. Fatal for the stream: there is no recovery. */
export class XmlError extends Error {
  /** Tells it from other errors also where `instanceof` cannot: when an app has loaded two copies of the package. */
  override readonly name = 'XmlError';

  constructor(
    /** The stream error that it leads to. */
    readonly condition: XmlCondition,
    /** What was found, without a byte of the input: that may hold secrets. */
    message: string,
    /** Byte offset in what was scanned. */
    readonly offset = 0,
    /** The limit that was crossed, as `ScanLimits` calls it; `maxBytes`: that of a whole element. */
    readonly limit?: string,
  ) {
    super(message);
  }
}
