import { createRequire } from 'node:module';
import { element } from '../../../xml/index.js';
import type { EmbeddedService, QueryHandler } from '../service.js';
import { XMLNS } from './namespaces.js';

/** Software version (XEP-0092) of the server's domains. The operating system is nobody's business. */
export class VersionService implements EmbeddedService {
  readonly features = [XMLNS.version];
  readonly queries: readonly QueryHandler[] = [
    {
      name: 'query',
      namespace: XMLNS.version,
      type: 'get',
      target: 'domain',
      answer: () =>
        element(
          'query',
          { xmlns: XMLNS.version },
          element('name', {}, 'nestjs-xmpp'),
          element('version', {}, (this.version ??= packageVersion())),
        ),
    },
  ];

  /** @param version what is told; that of this package where nothing is given */
  constructor(private version?: string) {}
}

function packageVersion(): string {
  try {
    // The same way up from lib/ and from dist/.
    const manifest = createRequire(import.meta.url)('../../../../package.json') as { version?: string };
    return manifest.version ?? 'unknown';
  } catch {
    return 'unknown'; // bundled with the host app: there is no package.json beside us
  }
}
