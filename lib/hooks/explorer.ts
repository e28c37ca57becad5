import { Injectable, type OnModuleInit } from '@nestjs/common';
import { DiscoveryService, MetadataScanner } from '@nestjs/core';
import {
  Entrance,
  StanzaInterceptors,
  XmppEvents,
  type XmppConnectGuard,
  type XmppEventName,
  type XmppStanzaInterceptor,
} from '../session/index.js';
import { guardOrderOf } from './guard.decorator.js';
import { interceptorOptionsOf } from './interceptor.decorator.js';
import { eventsOf } from './on-xmpp.decorator.js';

type Wrapper = ReturnType<DiscoveryService['getProviders']>[number];
type Methods = Readonly<Record<string, (...args: unknown[]) => unknown>>;

/** Finds what the app's providers and controllers have for us, by its decorators, when all of them are there. */
@Injectable()
export class HooksExplorer implements OnModuleInit {
  constructor(
    private readonly discovery: DiscoveryService,
    private readonly scanner: MetadataScanner,
    private readonly events: XmppEvents,
    private readonly interceptors: StanzaInterceptors,
    private readonly entrance: Entrance,
  ) {}

  /** @throws {TypeError} for a hook that can never be called */
  onModuleInit(): void {
    const seen = new Set<unknown>();
    for (const wrapper of [...this.discovery.getProviders(), ...this.discovery.getControllers()]) {
      const prototype = prototypeOf(wrapper);
      // One instance under several tokens (useExisting) is one hook.
      if (!prototype || (wrapper.instance && seen.has(wrapper.instance))) continue;
      seen.add(wrapper.instance);
      this.exploreMethods(wrapper, prototype);
      this.exploreClass(wrapper, prototype);
    }
  }

  private exploreClass(wrapper: Wrapper, prototype: object): void {
    const order = guardOrderOf(prototype.constructor);
    if (order !== undefined) this.entrance.addGuard(singleton(wrapper, prototype, 'it guards the entrance') as XmppConnectGuard, order);
    const options = interceptorOptionsOf(prototype.constructor);
    if (options) this.interceptors.add(singleton(wrapper, prototype, 'it intercepts stanzas') as XmppStanzaInterceptor, options);
  }

  private exploreMethods(wrapper: Wrapper, prototype: object): void {
    for (const key of this.scanner.getAllMethodNames(prototype)) {
      const names = eventsOf((prototype as Methods)[key]!);
      if (names.length === 0) continue;
      const instance = singleton(wrapper, prototype, `${key}() listens to ${names.join(', ')}`) as Methods;
      for (const name of names) this.events.on<XmppEventName>(name, (event) => instance[key]!(event));
    }
  }
}

/** Of the class that a provider is made of; undefined for a mere value. */
function prototypeOf({ instance, metatype, isNotMetatype, inject }: Wrapper): object | undefined {
  const isClass = !isNotMetatype && inject === undefined && typeof metatype === 'function';
  const prototype: unknown = isClass ? metatype.prototype : instance && Object.getPrototypeOf(instance);
  return typeof prototype === 'object' && prototype !== null && prototype !== Object.prototype ? prototype : undefined;
}

/** @throws {TypeError} where there is one for each request: no request is there to make it for */
function singleton(wrapper: Wrapper, prototype: object, what: string): object {
  if (wrapper.isDependencyTreeStatic() && !wrapper.isTransient) return wrapper.instance as object;
  throw new TypeError(
    `nestjs-xmpp: ${prototype.constructor.name}: ${what}, but the class is request-scoped or transient, itself or by what ` +
      'it injects; hooks are called outside of HTTP requests, on singletons alone',
  );
}
