import 'reflect-metadata';
import type { XmppEventListener, XmppEventName } from '../session/index.js';

const EVENTS = Symbol('nestjs-xmpp:events');

type ListenerDecorator<N extends XmppEventName> = <L extends XmppEventListener<N>>(
  target: object,
  key: string | symbol,
  descriptor: TypedPropertyDescriptor<L>,
) => void;

/**
 * Calls a method of a provider or controller when something happens: `@OnXmpp('session.bound')`. It may be async. What
 * it throws or rejects with is logged and harms nobody. Stands above a method as often as there are events for it.
 *
 * @param name of the event; {@link XmppEventMap} says what the method is given
 * @publicApi
 */
export function OnXmpp<N extends XmppEventName>(name: N): ListenerDecorator<N> {
  return (_target, _key, { value: method }) => {
    Reflect.defineMetadata(EVENTS, [...eventsOf(method!), name], method!);
  };
}

/** The events that a method is for. */
export function eventsOf(method: object): readonly XmppEventName[] {
  return (Reflect.getMetadata(EVENTS, method) as XmppEventName[] | undefined) ?? [];
}
