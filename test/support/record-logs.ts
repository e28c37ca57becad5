import { inspect } from 'node:util';
import { Logger } from '@nestjs/common';
import { record } from './secrets.mjs';

/**
 * Keeps all that is logged, at every level, whatever the app at hand prints: at the end of the run it is searched
 * for secrets (see secrets-reporter.mjs). To be imported where apps are made.
 */
const RECORDED = Symbol.for('nestjs-xmpp:recorded');
const prototype = Logger.prototype as unknown as Record<string | symbol, unknown>;

if (!prototype[RECORDED]) {
  prototype[RECORDED] = true;
  for (const level of ['verbose', 'debug', 'log', 'warn', 'error', 'fatal']) {
    const original = prototype[level] as (this: unknown, ...args: unknown[]) => void;
    prototype[level] = function (this: unknown, ...args: unknown[]) {
      record(args.map((argument) => (typeof argument === 'string' ? argument : inspect(argument))).join(' '));
      return original.apply(this, args);
    };
  }
}
