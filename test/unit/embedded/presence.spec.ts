import { Stanza } from '../../../lib/xml/index.js';
import type { EmbeddedService } from '../../../lib/upstream/embedded/index.js';
import { befriend, embedded, login, online, settle, type TestStream } from '../../support/embedded.js';

/** What came, in short: `type from` and what it says. */
async function events(stream: TestStream): Promise<string[]> {
  return (await stream.rest()).map((text) => {
    const stanza = Stanza.parse(text);
    if (stanza.kind !== 'presence') return stanza.name;
    const show = stanza.child('show')?.text();
    return `${stanza.attribute('type') ?? 'available'} ${stanza.attribute('from')}${show ? ` ${show}` : ''}`;
  });
}

const condition = (stanza: Stanza) =>
  /<error [^>]*><([a-z-]+) xmlns="urn:ietf:params:xml:ns:xmpp-stanzas"/.exec(String(stanza))?.[1];

describe('presence: RFC 6121, section 4', () => {
  const A = 'alice@example.org';
  const B = 'bob@example.org';

  it('section 4.2: initial presence reaches contacts and all own resources, and theirs comes back', async () => {
    const { upstream } = embedded();
    const alice = await online(upstream, 'alice/one');
    const bob = await online(upstream, 'bob/y');
    await befriend(alice, bob);
    bob.presence('<show>dnd</show>');
    await settle();
    await alice.rest();
    await bob.rest();
    const other = await login(upstream, 'alice/other');
    expect(await other.rest()).toEqual([]);
    other.presence('<show>chat</show>');
    expect(await events(other)).toEqual([`available ${A}/other chat`, `available ${A}/one`, `available ${B}/y dnd`]);
    expect(await events(alice)).toEqual([`available ${A}/other chat`]);
    const [presence] = await bob.rest();
    expect(Stanza.parse(presence!).attribute('to')).toBe(B);
    expect(presence).toContain(`from="${A}/other"`);
  });

  it('section 4.4: a change reaches the same, and nobody is asked again', async () => {
    const { upstream } = embedded();
    const alice = await online(upstream, 'alice/one');
    const bob = await online(upstream, 'bob/y');
    await befriend(alice, bob);
    alice.presence('<show>away</show>');
    expect(await events(bob)).toEqual([`available ${A}/one away`]);
    expect(await events(alice)).toEqual([`available ${A}/one away`]);
  });

  it('one who is not subscribed sees nothing', async () => {
    const { upstream } = embedded();
    const alice = await online(upstream, 'alice/one');
    const bob = await online(upstream, 'bob/y');
    alice.presence('<show>away</show>');
    expect(await events(bob)).toEqual([]);
    expect(await events(alice)).toEqual([`available ${A}/one away`]);
  });

  it('section 4.5: contacts and own resources see a client leave, with what it says', async () => {
    const { upstream } = embedded();
    const alice = await online(upstream, 'alice/one');
    const other = await online(upstream, 'alice/other');
    const bob = await online(upstream, 'bob/y');
    await befriend(alice, bob);
    await other.rest();
    alice.presence('<status>bye</status>', `type='unavailable'`);
    const [presence] = await bob.rest();
    expect(Stanza.parse(presence!).child('status')!.text()).toBe('bye');
    expect(await events(other)).toEqual([`unavailable ${A}/one`]);
    expect(await events(alice)).toEqual([]);
    alice.stream.close();
    expect(await events(bob)).toEqual([]);
  });

  it('a stream that breaks is seen to leave', async () => {
    const { upstream } = embedded();
    const alice = await online(upstream, 'alice/one');
    const bob = await online(upstream, 'bob/y');
    await befriend(alice, bob);
    alice.stream.abort();
    expect(await events(bob)).toEqual([`unavailable ${A}/one`]);
  });

  it('section 4.6: directed presence reaches a stranger, who also sees the client leave', async () => {
    const { upstream } = embedded();
    const alice = await online(upstream, 'alice/one');
    const bob = await online(upstream, 'bob/y');
    const carol = await online(upstream, 'carol/z');
    alice.presence('<show>chat</show>', `to='${bob.jid}'`);
    alice.presence('', `to='${carol.jid}'`);
    expect(await events(bob)).toEqual([`available ${A}/one chat`]);
    alice.presence('', `to='${carol.jid}' type='unavailable'`);
    alice.presence('<show>away</show>');
    expect(await events(bob)).toEqual([]);
    expect(await events(carol)).toEqual([`available ${A}/one`, `unavailable ${A}/one`]);
    alice.stream.abort();
    expect(await events(bob)).toEqual([`unavailable ${A}/one`]);
    expect(await events(carol)).toEqual([]);
  });

  it('section 4.6: one who never was available but for somebody is seen to leave by him', async () => {
    const { upstream } = embedded();
    const alice = await login(upstream, 'alice/one');
    const bob = await online(upstream, 'bob/y');
    alice.presence('', `to='${bob.jid}'`);
    alice.stream.close();
    expect(await events(bob)).toEqual([`available ${A}/one`, `unavailable ${A}/one`]);
  });

  it('a contact sees a client leave once, even if it got directed presence as well', async () => {
    const { upstream } = embedded();
    const alice = await online(upstream, 'alice/one');
    const bob = await online(upstream, 'bob/y');
    await befriend(alice, bob);
    alice.presence('', `to='${bob.jid}'`);
    await bob.rest();
    alice.stream.abort();
    expect(await events(bob)).toEqual([`unavailable ${A}/one`]);
  });

  it('section 8.5.3.2.2: directed presence to a resource that is not there vanishes', async () => {
    const { upstream } = embedded();
    const alice = await online(upstream, 'alice/one');
    alice.presence('', `to='${B}/gone'`);
    alice.presence('', `to='nobody@example.org'`);
    alice.presence('', `to='example.org'`);
    expect(await alice.rest()).toEqual([]);
  });

  it('section 4.3: a probe is answered for whom it may see, and with unsubscribed for others', async () => {
    const { upstream } = embedded();
    const alice = await online(upstream, 'alice/one');
    const bob = await online(upstream, 'bob/y');
    alice.presence('', `type='probe' to='${B}'`);
    expect(await events(alice)).toEqual([`unsubscribed ${B}`]);
    await befriend(alice, bob);
    alice.presence('', `type='probe' to='${B}'`);
    expect(await events(alice)).toEqual([`available ${B}/y`]);
  });

  it.each(['128', '-129', 'high', '1.5'])('section 4.7.2.3: the priority %s is a bad-request', async (priority) => {
    const alice = await login(embedded().upstream, 'alice/x');
    alice.presence(`<priority>${priority}</priority>`);
    expect(condition(await alice.next())).toBe('bad-request');
  });

  it('an unknown type is a bad-request', async () => {
    const alice = await login(embedded().upstream, 'alice/x');
    alice.presence('', `type='invisible'`);
    expect(condition(await alice.next())).toBe('bad-request');
    alice.presence('', `type='invisible' to='${B}'`);
    expect(condition(await alice.next())).toBe('bad-request');
  });

  it('services are told of who comes, changes and goes, and see directed presence to their host', async () => {
    const seen: string[] = [];
    const service: EmbeddedService = {
      host: 'rooms',
      onAvailable: ({ jid }, presence, initial) => {
        seen.push(`${initial ? 'initial' : 'change'} ${jid} ${presence.child('show')?.text() ?? ''}`);
      },
      onUnavailable: ({ jid, available }) => {
        seen.push(`left ${jid} ${available}`);
      },
      onUnbound: ({ jid }) => {
        seen.push(`unbound ${jid}`);
      },
      onSubscription: (owner, contact, subscribed) => {
        seen.push(`${contact} ${subscribed ? 'sees' : 'sees no more'} ${owner}`);
      },
      onStanza: (stanza, from, to) => {
        seen.push(`${stanza.attribute('type') ?? 'available'} ${from} ${to}`);
      },
    };
    const { upstream } = embedded({ services: [service] });
    const alice = await online(upstream, 'alice/one');
    alice.presence('<show>away</show>');
    alice.presence('', `to='room@rooms.example.org/nick'`);
    await settle();
    alice.stream.abort();
    await settle();
    expect(seen).toEqual([
      `initial ${A}/one `,
      `change ${A}/one away`,
      `available ${A}/one room@rooms.example.org/nick`,
      `unavailable ${A}/one room@rooms.example.org/nick`,
      `left ${A}/one false`,
      `unbound ${A}/one`,
    ]);
    seen.length = 0;
    const again = await online(upstream, 'alice/two');
    const bob = await online(upstream, 'bob/y');
    again.presence('', `type='subscribe' to='${B}'`);
    await settle();
    bob.presence('', `type='subscribed' to='${A}'`);
    await settle();
    bob.presence('', `type='unsubscribed' to='${A}'`);
    await settle();
    expect(seen.filter((text) => text.includes('sees'))).toEqual([`${A} sees ${B}`, `${A} sees no more ${B}`]);
  });
});
