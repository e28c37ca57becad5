import type { Cluster } from '../cluster/index.js';
import { Stanza } from '../xml/index.js';
import type { Ending, SessionRegistry } from './registry.js';
import type { Session, XmppSession } from './session.js';

const SERVICE = 'sessions';

/** What a node asks the others about their sessions. */
type Question =
  | { readonly ask: 'list' }
  | { readonly ask: 'find'; readonly key: string }
  | { readonly ask: 'terminate'; readonly key: string; readonly end: Ending | undefined }
  | { readonly ask: 'send' | 'sendAs'; readonly key: string; readonly stanza: string };

/** The answers, by question. */
interface Answers {
  list: XmppSession[];
  find: XmppSession[];
  terminate: number;
  send: number;
  sendAs: boolean;
}

/** The sessions of the other nodes, for this one's app; and this node's, for theirs. */
export class RemoteSessions {
  constructor(
    private readonly cluster: Cluster,
    private readonly local: SessionRegistry,
  ) {
    cluster.serve(SERVICE, (data, channel) => {
      channel.send(2, Buffer.from(JSON.stringify(this.answer(JSON.parse(data.toString()) as Question))));
      channel.end();
      return { onMessage: () => {}, onEnd: () => {} };
    });
  }

  /**
   * Asks the node that has a session, where its identifier says which; otherwise all others. One that does not
   * answer is left out.
   * @param id that may name a node
   */
  async ask<Q extends Question>(question: Q, id?: string): Promise<Answers[Q['ask']][]> {
    const { cluster } = this;
    if (!cluster.enabled) return [];
    const node = cluster.nodeOf(id);
    const all = node === undefined ? (await cluster.members()).map(({ id }) => id) : [node];
    const data = Buffer.from(JSON.stringify(question));
    const others = all.filter((id) => id !== cluster.id);
    const asked = await Promise.allSettled(others.map(async (id) => await cluster.ask(id, SERVICE, data)));
    return asked.flatMap((answer) => (answer.status === 'fulfilled' ? [read(answer.value) as Answers[Q['ask']]] : []));
  }

  private answer(question: Question): Answers[Question['ask']] {
    const { local } = this;
    switch (question.ask) {
      case 'list':
        return local.list().map((session) => this.snapshot(session));
      case 'find':
        return local.find(question.key).map((session) => this.snapshot(session));
      case 'terminate':
        return local.terminate(question.key, question.end);
      case 'send':
        return local.send(question.key, Stanza.parse(question.stanza));
      case 'sendAs':
        return local.sendAs(question.key, Stanza.parse(question.stanza));
    }
  }

  private snapshot(session: Session): XmppSession {
    const { id, domain, jid, transport, address, secure, openedAt, authenticated, resumable, traffic } = session;
    return { id, domain, jid, transport, address, secure, openedAt, authenticated, resumable, traffic, node: this.cluster.nodeName! };
  }
}

/** Dates, and what is undefined, are not JSON's. */
function read(data: Buffer): unknown {
  const answer = JSON.parse(data.toString()) as unknown;
  if (!Array.isArray(answer)) return answer;
  return (answer as XmppSession[]).map((session) => ({ ...session, jid: session.jid, openedAt: new Date(session.openedAt) }));
}
