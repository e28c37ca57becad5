import { Injectable, type OnModuleInit } from '@nestjs/common';
import { ModuleRef } from '@nestjs/core';
import { XmppEvents } from '../session/index.js';

/** What the events are called there: `xmpp.session.bound`. */
const PREFIX = 'xmpp.';

interface Emitter {
  emit(name: string, event: unknown): unknown;
}

/** Emits the events on `@nestjs/event-emitter`, too, where the app has it: an optional peer. */
@Injectable()
export class EventEmitterBridge implements OnModuleInit {
  constructor(
    private readonly modules: ModuleRef,
    private readonly events: XmppEvents,
  ) {}

  async onModuleInit(): Promise<void> {
    const emitter = await this.find();
    if (emitter) this.events.onAny((name, event) => void emitter.emit(PREFIX + name, event));
  }

  private async find(): Promise<Emitter | undefined> {
    try {
      const { EventEmitter2 } = await import('@nestjs/event-emitter');
      return this.modules.get<Emitter>(EventEmitter2, { strict: false });
    } catch {
      return undefined; // not installed, or not in this app
    }
  }
}
