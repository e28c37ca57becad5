import { tmpdir } from 'node:os';
import { join } from 'node:path';

// Where all processes of a run keep what they print, for the search at its end.
process.env.TEST_OUTPUT_DIR ??= join(tmpdir(), `nestjs-xmpp-output-${process.pid}`);

/** @type {import('jest').Config} */
export default {
  testEnvironment: 'node',
  roots: ['<rootDir>/test'],
  // No test asserts time; this only ends one that hangs, also on a slow machine.
  testTimeout: 60_000,
  testRegex: '\\.spec\\.ts$',
  reporters: ['default', '<rootDir>/test/support/secrets-reporter.mjs', '<rootDir>/test/support/summary-reporter.mjs'],
  extensionsToTreatAsEsm: ['.ts'],
  moduleNameMapper: {
    '^nestjs-xmpp$': '<rootDir>/lib/index.ts',
    '^nestjs-xmpp/testing$': '<rootDir>/lib/testing/index.ts',
    '^(\\.{1,2}/.*)\\.js$': '$1',
  },
  transform: {
    '^.+\\.ts$': [
      '@swc/jest',
      {
        jsc: {
          target: 'es2022',
          parser: { syntax: 'typescript', decorators: true },
          transform: { legacyDecorator: true, decoratorMetadata: true },
          keepClassNames: true,
        },
        module: { type: 'es6' },
        sourceMaps: 'inline',
      },
    ],
  },
  collectCoverageFrom: ['lib/**/*.ts', '!lib/**/index.ts'],
  coverageProvider: 'v8',
};
