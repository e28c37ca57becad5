import 'reflect-metadata';
import type { InterceptorOptions, XmppStanzaInterceptor } from '../session/index.js';

const OPTIONS = Symbol('nestjs-xmpp:interceptor');

/**
 * Makes a provider an interceptor of stanzas: list it among the `providers` of any module.
 *
 * @param options which stanzas it sees; those of other kinds and directions do not pay for it
 * @publicApi
 */
export function XmppInterceptor(options: InterceptorOptions = {}) {
  return <T extends XmppStanzaInterceptor>(target: new (...args: never[]) => T): void => {
    Reflect.defineMetadata(OPTIONS, options, target);
  };
}

/** Those of a class that is one, or extends one. */
export function interceptorOptionsOf(target: object): InterceptorOptions | undefined {
  return Reflect.getMetadata(OPTIONS, target) as InterceptorOptions | undefined;
}
