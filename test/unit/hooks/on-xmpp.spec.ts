import { setImmediate as nextTurn } from 'node:timers/promises';
import { Controller, Inject, Injectable, Logger, Scope, type Type } from '@nestjs/common';
import { REQUEST } from '@nestjs/core';
import { EventEmitterModule, OnEvent } from '@nestjs/event-emitter';
import { Test } from '@nestjs/testing';
import { OnXmpp, XmppEvents, XmppModule, type XmppEventMap, type XmppSession } from 'nestjs-xmpp';

const session = { id: 's', jid: 'romeo@example.org/orchard' } as XmppSession;
const heard: string[] = [];

@Injectable()
class Journal {
  private readonly mark = 'journal';

  @OnXmpp('session.bound')
  @OnXmpp('session.resumed')
  note({ session: { jid } }: XmppEventMap['session.bound']): void {
    heard.push(`${this.mark} ${jid}`);
  }

  @OnXmpp('session.closed')
  async close({ end: { reason } }: XmppEventMap['session.closed']): Promise<void> {
    await nextTurn();
    heard.push(reason);
  }
}

abstract class Base {
  @OnXmpp('limit.hit')
  limit({ limit }: { limit: string }): void {
    heard.push(`${this.constructor.name} ${limit}`);
  }
}

@Controller('cats')
class CatsController extends Base {}

@Injectable()
class Faulty {
  @OnXmpp('session.bound')
  now(): never {
    throw new Error('at once');
  }

  @OnXmpp('session.bound')
  async later(): Promise<never> {
    await nextTurn();
    throw new Error('later');
  }
}

interface Host {
  readonly providers?: unknown[];
  readonly imports?: unknown[];
  readonly controllers?: Type[];
}

async function start({ providers = [], imports = [], controllers = [] }: Host) {
  const testing = await Test.createTestingModule({
    imports: [XmppModule.forRoot({ domains: ['example.org'] }), ...(imports as Type[])],
    providers: providers as Type[],
    controllers,
  }).compile();
  const app = testing.createNestApplication({ logger: false });
  try {
    await app.init();
  } catch (error) {
    await app.close();
    throw error;
  }
  return { app, events: app.get(XmppEvents) };
}

describe('@OnXmpp()', () => {
  beforeEach(() => heard.splice(0));

  it('calls methods of providers and of controllers, inherited ones too, for each of their events', async () => {
    const { app, events } = await start({ providers: [Journal], controllers: [CatsController] });
    events.emit('session.bound', { session });
    events.emit('session.resumed', { session });
    events.emit('limit.hit', { limit: 'limits.maxSessions', address: '192.0.2.1' });
    events.emit('session.closed', { session, end: { reason: 'closed' } });
    await nextTurn();
    await nextTurn();
    expect(heard).toEqual([
      'journal romeo@example.org/orchard',
      'journal romeo@example.org/orchard',
      'CatsController limits.maxSessions',
      'closed',
    ]);
    await app.close();
  });

  it('calls an instance once, under however many tokens it is provided', async () => {
    const { app, events } = await start({
      providers: [Journal, { provide: 'A', useExisting: Journal }, { provide: 'B', useFactory: (journal: Journal) => journal, inject: [Journal] }],
    });
    events.emit('session.bound', { session });
    expect(heard).toHaveLength(1);
    await app.close();
  });

  it('logs what listeners throw and reject with, and calls the others', async () => {
    const errors: unknown[][] = [];
    const logger = { error: (...args: unknown[]) => void errors.push(args), log() {}, warn() {}, debug() {} };
    const { app, events } = await start({ providers: [Faulty, Journal] });
    Logger.overrideLogger(logger);
    events.emit('session.bound', { session });
    await nextTurn();
    await nextTurn();
    Logger.overrideLogger(false);
    expect(heard).toHaveLength(1);
    expect(errors.map(([what, error]) => [what, String(error)])).toEqual([
      ['listener of session.bound failed', 'Error: at once'],
      ['listener of session.bound failed', 'Error: later'],
    ]);
    await app.close();
  });

  it('refuses request-scoped and transient classes at the start, and says why', async () => {
    @Injectable({ scope: Scope.REQUEST })
    class PerRequest extends Journal {}
    @Injectable()
    class ByItsDependency extends Journal {
      constructor(@Inject(REQUEST) readonly request: unknown) {
        super();
      }
    }
    @Injectable({ scope: Scope.TRANSIENT })
    class PerConsumer extends Journal {}
    for (const each of [PerRequest, ByItsDependency, PerConsumer]) {
      await expect(start({ providers: [each] })).rejects.toThrow(
        `nestjs-xmpp: ${each.name}: note() listens to session.resumed, session.bound, but the class is request-scoped or transient`,
      );
    }
  });

  it('leaves alone what is no hook: values, factories, request-scoped classes', async () => {
    @Injectable({ scope: Scope.REQUEST })
    class Other {}
    const values = [null, undefined, 'text', 1, Object.create(null), new Map(), () => 1].map((useValue, i) => ({ provide: `v${i}`, useValue }));
    const { app } = await start({ providers: [Other, ...values, { provide: 'f', useFactory: () => 1 }] });
    await app.close();
  });

  it('emits everything on @nestjs/event-emitter, too, where the app has it', async () => {
    @Injectable()
    class Elsewhere {
      @OnEvent('xmpp.session.*')
      any({ session: { jid } }: { session: XmppSession }): void {
        heard.push(`elsewhere ${jid}`);
      }
    }
    const { app, events } = await start({ providers: [Elsewhere], imports: [EventEmitterModule.forRoot({ wildcard: true })] });
    events.emit('session.bound', { session });
    events.emit('limit.hit', { limit: 'limits.maxSessions', address: '192.0.2.1' });
    expect(heard).toEqual(['elsewhere romeo@example.org/orchard']);
    await app.close();
  });

  it('is typed by the event', () => {
    class Typed {
      @OnXmpp('upstream.down')
      fits({ message }: { message: string }): string {
        return message;
      }

      // @ts-expect-error no event has such a payload
      @OnXmpp('upstream.down')
      misses({ sid }: { sid: string }): string {
        return sid;
      }

      // @ts-expect-error no such event
      @OnXmpp('session.bounded')
      unknown(): void {}
    }
    expect(new Typed().fits({ message: 'gone' })).toBe('gone');
  });
});
