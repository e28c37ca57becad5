import { Injectable, Module, Scope, type Type } from '@nestjs/common';
import { Test } from '@nestjs/testing';
import { type Interception, type Stanza, XmppInterceptor, XmppModule, type XmppStanzaInterceptor } from 'nestjs-xmpp';
import { StanzaInterceptors } from '../../../lib/session/index.js';

@Injectable()
class Words {
  readonly forbidden = 'sesame';
}

@XmppInterceptor({ direction: 'in', kinds: ['message'] })
class Censor implements XmppStanzaInterceptor {
  constructor(readonly words: Words) {}

  intercept(stanza: Stanza): Interception {
    return stanza.toString().includes(this.words.forbidden) ? undefined : stanza;
  }
}

async function start(...providers: Type[]): Promise<StanzaInterceptors> {
  @Module({ providers: [Words, ...providers] })
  class FeatureModule {}
  const testing = await Test.createTestingModule({ imports: [FeatureModule, XmppModule.forRoot({ domains: ['example.org'] })] }).compile();
  const app = testing.createNestApplication({ logger: false });
  try {
    await app.init();
    return app.get(StanzaInterceptors, { strict: false });
  } finally {
    await app.close();
  }
}

describe('@XmppInterceptor()', () => {
  it('registers a provider of any module, with what it injects, for what it asks for and nothing else', async () => {
    const interceptors = await start(Censor);
    const ways = (['in', 'out'] as const).flatMap((way) =>
      (['message', 'iq', 'presence'] as const).filter((kind) => interceptors.sees(way, kind)).map((kind) => `${kind} ${way}`),
    );
    expect(ways).toEqual(['message in']);
  });

  it('registers nothing where there is none', async () => {
    expect((await start()).isEmpty).toBe(true);
  });

  it('refuses a request-scoped class at the start', async () => {
    @Injectable({ scope: Scope.REQUEST })
    @XmppInterceptor()
    class PerRequest implements XmppStanzaInterceptor {
      intercept(stanza: Stanza): Stanza {
        return stanza;
      }
    }
    await expect(start(PerRequest)).rejects.toThrow('nestjs-xmpp: PerRequest: it intercepts stanzas, but the class is request-scoped');
  });

  it('is for classes that intercept', () => {
    // @ts-expect-error there is no method intercept()
    @XmppInterceptor()
    class NoInterceptor {}
    expect(new NoInterceptor()).toBeDefined();
  });
});
