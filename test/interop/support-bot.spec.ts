import { readFile } from 'node:fs/promises';
import { fileURLToPath } from 'node:url';
import { client as xmppjs, xml, type Element } from '@xmpp/client';
import { createClient } from 'stanza';
import { SupportBot } from '../../sample/examples/support-bot.js';
import { startApp, type TestApp } from '../support/app.js';
import { Mailbox } from '../support/mailbox.js';
import { UpstreamRecorder } from '../support/upstream-recorder.js';
import { Stanza } from '../../lib/xml/index.js';
import './drivers/xmppjs.js'; // gives it a WebSocket

const SOURCE = fileURLToPath(new URL('../../sample/examples/support-bot.ts', import.meta.url));

describe('the support bot of docs/UPSTREAMS.md', () => {
  const asked: string[] = [];
  const bot = new SupportBot(async (question, visitor) => {
    asked.push(visitor);
    if (question === '?') throw new Error('no answer');
    return `You said: ${question}`;
  });
  let app: TestApp;
  beforeAll(async () => {
    app = await startApp({ options: { upstream: bot } });
  });
  afterAll(async () => {
    await app.close();
  });

  it('is shorter than 80 lines', async () => {
    expect((await readFile(SOURCE, 'utf8')).trimEnd().split('\n').length).toBeLessThan(80);
  });

  it.each(['websocket', 'bosh'])('talks to stanza over %s: it has a roster, is there, and answers', async (transport) => {
    const url = transport === 'bosh' ? app.boshUrl : app.wsUrl;
    const client = createClient({ server: 'localhost', jid: 'localhost', transports: { [transport]: url }, autoReconnect: false });
    const messages = new Mailbox<string>();
    const presences = new Mailbox<string>();
    client.on('message', ({ from, body }) => messages.put(`${from}: ${body}`));
    client.on('presence', ({ from }) => presences.put(from));
    const started = new Promise((resolve) => client.once('session:started', resolve));
    client.connect();
    await started;
    expect((await client.getRoster()).items).toMatchObject([{ jid: 'support@localhost', name: 'Support' }]);
    client.sendPresence();
    expect(await presences.take()).toBe('support@localhost');
    client.sendMessage({ to: 'support@localhost', type: 'chat', body: 'Hi <there> & "you"' });
    expect(await messages.take()).toBe('support@localhost: You said: Hi <there> & "you"');
    expect(asked.at(-1)).toBe(client.jid);
    const disconnected = new Promise((resolve) => client.once('disconnected', resolve));
    client.disconnect();
    await disconnected;
  });

  it('talks to xmpp.js, says that it does not know, and refuses what it has not got', async () => {
    const client = xmppjs({ service: app.wsUrl, domain: 'localhost' });
    client.reconnect.stop();
    const messages = new Mailbox<string>();
    client.on('stanza', (stanza: Element) => {
      if (stanza.is('message')) messages.put(stanza.getChildText('body') ?? '');
    });
    await client.start();
    await client.send(xml('message', { to: 'support@localhost', type: 'chat' }, xml('body', {}, '?')));
    expect(await messages.take()).toMatch(/^Sorry/);
    await expect(client.iqCaller.get(xml('query', { xmlns: 'jabber:iq:version' }))).rejects.toThrow('service-unavailable');
    await client.stop();
  });

  it('keeps the rules of the port: order, pause, one end', async () => {
    const recorder = new UpstreamRecorder(bot);
    const { stream } = recorder;
    await recorder.opened();
    await recorder.element();
    stream.pause();
    stream.send(Stanza.parse(`<auth xmlns='urn:ietf:params:xml:ns:xmpp-sasl' mechanism='ANONYMOUS'/>`));
    stream.send(Stanza.parse(`<presence xmlns='jabber:client'/>`));
    await new Promise((resolve) => setImmediate(resolve));
    expect(recorder.log).toEqual(['open', 'features']);
    stream.resume();
    expect(recorder.log).toEqual(['open', 'features', 'success', 'presence']);
    stream.close();
    stream.close();
    stream.abort();
    expect(await recorder.ended()).toEqual({ reason: 'closed' });
    const rude = new UpstreamRecorder(bot);
    rude.stream.send(Stanza.parse(`<presence xmlns='jabber:client'/>`));
    expect(await rude.ended()).toMatchObject({ reason: 'closed' });
    expect(recorder.log.filter((what) => what === 'end')).toHaveLength(1);
  });
});
