import { readFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';

const MODULES = join(dirname(fileURLToPath(import.meta.url)), '..', '..', 'node_modules');

/** A file of an installed package, by its path in there: what `exports` may not let through. */
export function packageFile(name: string, ...path: readonly string[]): string {
  return join(MODULES, name, ...path);
}

export function packageVersion(name: string): string {
  return (JSON.parse(readFileSync(packageFile(name, 'package.json'), 'utf8')) as { version: string }).version;
}
