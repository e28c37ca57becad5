export interface CrowdResult {
  /** Messages of the client that behaves that came back, each before the next was sent. */
  readonly echoes: number;
  /** Milliseconds. */
  readonly longest: number;
  /** Resident bytes of the sample without the crowd, and at most. */
  readonly before: number;
  readonly most: number;
  /** Guests that had not been shown out at the end. */
  readonly there: number;
}
export function crowd(options: {
  url: string;
  pid: number;
  count: number;
  onProgress?: (there: number, bytes: number) => void;
}): Promise<CrowdResult>;
export function residentBytes(pid: number): number;
