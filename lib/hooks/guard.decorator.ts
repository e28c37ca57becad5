import 'reflect-metadata';
import type { XmppConnectGuard } from '../session/index.js';

const ORDER = Symbol('nestjs-xmpp:guard');

/**
 * Makes a provider a guard of the entrance: list it among the `providers` of any module. It is asked for every web
 * client, on both transports, before there is a session.
 *
 * @param options `order`: the lowest is asked first; default 0
 * @publicApi
 */
export function XmppGuard({ order = 0 }: { readonly order?: number } = {}) {
  return <T extends XmppConnectGuard>(target: new (...args: never[]) => T): void => {
    Reflect.defineMetadata(ORDER, order, target);
  };
}

/** Of a class that is one, or extends one. */
export function guardOrderOf(target: object): number | undefined {
  return Reflect.getMetadata(ORDER, target) as number | undefined;
}
