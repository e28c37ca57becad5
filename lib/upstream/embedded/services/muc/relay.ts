import type { Stanza } from '../../../../xml/index.js';
import { errorAnswer, StanzaError } from '../../../../stanza-error.js';
import type { Jid } from '../../jid.js';
import type { EmbeddedServices } from '../../service.js';
import type { Occupant } from './occupant.js';
import type { Room } from './room.js';

/** Questions without an answer; with one more, the oldest gets its asker an error. */
const MAX_OPEN = 1000;

interface Question {
  readonly asker: string;
  readonly asked: string;
  /** The iq as the asker sent it. */
  readonly iq: Stanza;
}

/**
 * Iqs between occupants (XEP-0045, section 17.4 leaves them to the service): neither side learns the
 * other's real address, so that they go under an id of ours, by which the answer finds back.
 */
export class IqRelay {
  private readonly questions = new Map<string, Question>();
  private sent = 0;

  constructor(private readonly server: EmbeddedServices) {}

  ask(room: Room, from: Jid, asker: Occupant, target: Occupant, iq: Stanza): void {
    const asked = target.jid;
    for (const [id, oldest] of this.questions) {
      if (this.questions.size < MAX_OPEN) break;
      this.questions.delete(id);
      this.fail(oldest, 'remote-server-timeout');
    }
    const id = `muc-${++this.sent}`;
    this.questions.set(id, { asker: from.toString(), asked, iq });
    this.server.route(iq.with({ from: room.jid.withResource(asker.nick).toString(), to: asked, id }));
  }

  /** A `result` or `error` that somebody sent to an occupant's address. */
  answer(from: Jid, iq: Stanza): void {
    const id = iq.attribute('id') ?? '';
    const question = this.questions.get(id);
    if (!question || question.asked !== from.toString()) return;
    this.questions.delete(id);
    const { asker, iq: asked } = question;
    this.server.route(iq.with({ from: asked.attribute('to'), to: asker, id: asked.attribute('id') }));
  }

  /** A resource is gone: it will not answer any more, nor wait. */
  onGone(full: string): void {
    for (const [id, question] of this.questions) {
      if (question.asker !== full && question.asked !== full) continue;
      this.questions.delete(id);
      if (question.asked === full) this.fail(question, 'service-unavailable');
    }
  }

  private fail({ iq }: Question, condition: 'remote-server-timeout' | 'service-unavailable'): void {
    const answer = errorAnswer(iq, new StanzaError(condition));
    if (answer) this.server.route(answer);
  }
}
