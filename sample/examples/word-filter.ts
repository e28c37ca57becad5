import { StanzaError, XmppInterceptor, type Interception, type Stanza, type XmppStanzaInterceptor } from 'nestjs-xmpp';

/** Where the app keeps the words that nobody may say. */
export abstract class Words {
  abstract isForbidden(text: string): Promise<boolean>;
}

@XmppInterceptor({ direction: 'in', kinds: ['message'] })
export class WordFilter implements XmppStanzaInterceptor {
  constructor(private readonly words: Words) {}

  async intercept(stanza: Stanza): Promise<Interception> {
    const text = stanza.child('body')?.text();
    if (text && (await this.words.isForbidden(text))) {
      throw new StanzaError('policy-violation', { text: 'Mind your words' });
    }
    return stanza;
  }
}
