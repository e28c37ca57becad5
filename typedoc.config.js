import { OptionDefaults } from 'typedoc';

/** @type {import('typedoc').TypeDocOptions} */
export default {
  name: 'nestjs-xmpp',
  entryPoints: ['lib/index.ts', 'lib/testing/index.ts', 'client/index.ts'],
  tsconfig: 'tsconfig.typedoc.json',
  out: 'docs/api',
  readme: 'none',
  modifierTags: [...OptionDefaults.modifierTags, '@publicApi'],
  excludeInternal: true,
  excludePrivate: true,
  excludeProtected: true,
  excludeExternals: true,
  hideGenerator: true,
  disableSources: true,
  // `npm run typecheck` checks types.
  skipErrorChecking: true,
  // The scanner, and services of the embedded server, are no part of the API.
  intentionallyNotExported: ['CLIENT_MECHANISMS', 'Scanner', 'ListenerDecorator', 'AnyListener', 'Fallback'],
  validation: { notExported: true, invalidLink: true, notDocumented: true },
  requiredToBeDocumented: [
    'Class',
    'Interface',
    'TypeAlias',
    'Function',
    'Variable',
    'Method',
    'Property',
    'Accessor',
    'Enum',
    'EnumMember',
  ],
  treatWarningsAsErrors: true,
};
