export function compare(document: string): void;
export class Expat {
  constructor(python: string);
  read(documents: readonly string[]): Promise<unknown[]>;
  compare(documents: readonly string[]): Promise<void>;
  close(): void;
}
