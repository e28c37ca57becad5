import { setImmediate as nextTurn } from 'node:timers/promises';
import type { Interception, InterceptorOptions } from '../../../lib/session/index.js';
import { StanzaError } from '../../../lib/stanza-error.js';
import { Stanza } from '../../../lib/xml/index.js';
import { copy, JID, message, Stage } from './stage.js';

type Intercept = (stanza: Stanza) => Interception | Promise<Interception>;
const incoming = (id: string) => `<message xmlns="jabber:client" from="bob@example.org/x" id="${id}"><body>hi</body></message>`;

async function tabs(count: number, intercept: Intercept, options: InterceptorOptions = {}) {
  const stage = new Stage();
  stage.interceptors.add({ intercept }, options);
  return { stage, tabs: await stage.tabs(count), line: stage.line };
}

function patient() {
  const answers: (() => void)[] = [];
  const intercept: Intercept = (stanza) => new Promise((resolve) => answers.push(() => resolve(stanza)));
  const answer = async () => {
    answers.shift()!();
    await nextTurn();
  };
  return { intercept, answer };
}

describe('interceptors of a shared session', () => {
  it('S11: see what a tab sends before the others get a copy: they get what the server gets', async () => {
    const changed = (stanza: Stanza) => stanza.with({ id: 'changed' });
    const { tabs: [one, two], line } = await tabs(2, changed, { direction: 'in', kinds: ['message'] });
    one!.send(message('1'));
    expect(line.take()).toEqual([message('changed')]);
    expect(two!.take()).toEqual([copy(message('changed'), 1)]);
    expect(one!.take()).toEqual([]);
  });

  it('S11: what is refused no other tab gets; its sender alone is told', async () => {
    const { tabs: [one, two, three], line } = await tabs(3, () => new StanzaError('forbidden'), { direction: 'in' });
    two!.send(message('1'));
    expect(line.take()).toEqual([]);
    expect([...one!.take(), ...three!.take()]).toEqual([]);
    expect(two!.take().join()).toMatch(new RegExp(`^<message [^>]*type="error" id="1" from="bob@example.org" to="${JID}"><error type="auth"><forbidden `));
  });

  it('see what comes from the server once, for all tabs', async () => {
    const seen: string[] = [];
    const note = (stanza: Stanza) => {
      seen.push(stanza.attribute('id')!);
      return stanza.with({ id: 'noted' });
    };
    const { tabs: [one, two], line } = await tabs(2, note, { direction: 'out', kinds: ['message'] });
    line.push(incoming('1'));
    expect(seen).toEqual(['1']);
    expect([one!.take(), two!.take()]).toEqual([[incoming('noted')], [incoming('noted')]]);
  });

  it('hold up one tab, and none of the others', async () => {
    const { intercept, answer } = patient();
    const slow: Intercept = (stanza) => (stanza.attribute('id') === 'slow' ? intercept(stanza) : stanza);
    const { tabs: [one, two], line } = await tabs(2, slow, { direction: 'in' });
    one!.send(message('slow'));
    one!.send(message('behind'));
    two!.send(message('quick'));
    expect(line.take()).toEqual([message('quick')]);
    await answer();
    expect(line.take()).toEqual([message('slow'), message('behind')]);
  });

  it('a tab that leaves has said what it said: the stream waits for it', async () => {
    const { intercept, answer } = patient();
    const { stage, tabs: [one], line } = await tabs(1, intercept, { direction: 'in' });
    one!.send(message('last words'));
    one!.session.leave({ reason: 'closed' });
    line.push(incoming('too late'));
    expect(line.take()).toEqual([]);
    await answer();
    expect(line.take()).toEqual([message('last words'), expect.stringMatching(/type="error" id="too late"/), 'close']);
    expect(one!.take()).toEqual([]);
    expect(stage.sharing.list()).toEqual([]);
  });

  it('a tab that left is not told of the end of the stream, and the others keep it', async () => {
    const { intercept, answer } = patient();
    const { stage, tabs: [one, two], line } = await tabs(2, intercept, { direction: 'in', kinds: ['message'] });
    two!.send(message('last words'));
    two!.session.leave({ reason: 'lost' });
    await answer();
    expect(line.take()).toEqual([message('last words')]);
    expect(one!.take()).toEqual([copy(message('last words'), 2)]);
    expect(stage.events()).toEqual(['detached 2 lost']);
    one!.send(message('never answered'));
    one!.session.leave({ reason: 'closed' });
    stage.sessions.terminate(JID);
    expect(one!.take()).toEqual([]);
    expect(stage.events()).toEqual(['session.closed', 'detached 1 terminated']);
  });
});
