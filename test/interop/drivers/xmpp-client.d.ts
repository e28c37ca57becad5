/** What the driver uses of @xmpp/client, which has no types of its own. */
declare module '@xmpp/client' {
  import type { EventEmitter } from 'node:events';

  export interface Element {
    readonly name: string;
    readonly attrs: Readonly<Record<string, string | undefined>>;
    is(name: string, xmlns?: string): boolean;
    getChild(name: string, xmlns?: string): Element | undefined;
    getChildren(name: string, xmlns?: string): Element[];
    getChildText(name: string, xmlns?: string): string | null;
  }

  export interface Client extends EventEmitter {
    start(): Promise<{ toString(): string }>;
    stop(): Promise<unknown>;
    send(element: Element): Promise<void>;
    readonly reconnect: { stop(): void; reconnect(): Promise<void> };
    readonly streamManagement: EventEmitter;
    readonly iqCaller: {
      get(child: Element, to?: string): Promise<Element>;
      set(child: Element, to?: string): Promise<Element>;
    };
  }

  export function client(options: {
    service: string;
    domain: string;
    resource?: string;
    username?: string;
    password?: string;
  }): Client;
  export function xml(name: string, attrs: Readonly<Record<string, string | undefined>>, ...children: readonly unknown[]): Element;
}
