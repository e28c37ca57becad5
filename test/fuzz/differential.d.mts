export function fuzz(
  xml: object,
  seed: number,
  count: number,
  onAccepted?: (document: string) => void,
): Record<'frame' | 'stream' | 'body' | 'refused' | 'elements', number>;
