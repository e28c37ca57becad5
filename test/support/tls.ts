import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createAuthority } from './certificates.js';

/** A key and its certificate, as PEM. */
export interface Identity {
  readonly key: Buffer;
  readonly cert: Buffer;
}

/** A certificate authority of one test file, in memory. */
export interface TestAuthority {
  readonly ca: Buffer;
  /** For these DNS names. */
  issue(...names: string[]): Promise<Identity>;
  remove(): Promise<void>;
}

export async function testAuthority(): Promise<TestAuthority> {
  const directory = await mkdtemp(join(tmpdir(), 'nestjs-xmpp-tls-'));
  const authority = await createAuthority(directory);
  return {
    ca: await readFile(authority.certFile),
    async issue(...names) {
      const { certFile, keyFile } = await authority.issue(names);
      return { key: await readFile(keyFile), cert: await readFile(certFile) };
    },
    remove: () => rm(directory, { recursive: true, force: true }),
  };
}
