import { mark, Tape, type StreamRecord } from './tape.js';

describe('what went between the gateway and a server, beside what a client saw', () => {
  let tape: Tape;
  let tracks: ReturnType<Tape['record']>;
  const stanza = (name: string) => /^<([a-z]+)/.exec(name)![1]!;
  const marks = (...xml: string[]) => xml.map((tag) => mark(stanza(tag), (name) => new RegExp(` ${name}='([^']*)`).exec(tag)?.[1])!);
  const message = (id: string, more = '') => `<message id='${id}' from='alice@localhost/r'${more}><body>${id}</body></message>`;
  const record = (more: Partial<StreamRecord>): StreamRecord => ({ user: 'bob', life: 2, id: 's1', shared: false, attached: false, sent: [], came: [], ...more });
  const write = (track: 'up' | 'down', ...xml: string[]) => tracks[track].feed(Buffer.from(xml.join('')));
  const faults = (...records: StreamRecord[]) => tape.compare(records).faults;

  beforeEach(() => {
    tape = new Tape();
    tracks = tape.record();
    write('down', `<?xml version='1.0'?><stream:stream from='localhost' id='s1'><stream:features/>`);
  });

  it('finds nothing wrong with what went through as it came, up to where the stream broke off', () => {
    const [one, two, three] = [message('m1-0'), `<iq id='p2-1' type='result'/>`, message('m1-1')];
    write('down', one, two, three);
    write('up', `<presence/>`, message('m2-0'), message('m1-9', ` type='error'`));
    const came = marks(one, two);
    expect(tape.compare([record({ came, sent: marks(`<presence/>`, message('m2-0'), message('m2-1')) })])).toEqual({ streams: 1, elements: 2, faults: [] });
  });

  it('reads it however it was cut', () => {
    const xml = message('m1-0') + `<r xmlns='urn:xmpp:sm:3'/><a xmlns='urn:xmpp:sm:3' h='7'/>` + message('m1-1');
    for (const byte of Buffer.from(xml)) tracks.down.feed(Buffer.from([byte]));
    expect(tracks.down.marks).toEqual(['message m1-0', 'r ', 'a 7', 'message m1-1']);
    expect(faults(record({ came: tracks.down.marks.slice() }))).toEqual([]);
  });

  it.each([
    ['reordered', ['m1-1', 'm1-0', 'm1-2']],
    ['left out', ['m1-0', 'm1-2']],
    ['doubled', ['m1-0', 'm1-0', 'm1-1']],
    ['added', ['m1-0', 'm1-1', 'm1-2', 'm1-3']],
    ['lost at the start', ['m1-1', 'm1-2']],
  ])('finds what was %s on its way, in either direction', (_, ids) => {
    const all = ['m1-0', 'm1-1', 'm1-2'].map((id) => message(id));
    const other = ids.map((id) => message(id));
    write('down', ...all);
    expect(faults(record({ came: marks(...other) }))).toEqual([expect.stringContaining('did not get what the server sent')]);
    write('up', ...other);
    expect(faults(record({ came: marks(...all), sent: marks(...all) }))).toEqual([expect.stringContaining('the server did not get what bob sent')]);
  });

  it('takes one who came later to a shared stream from where he came, and each for his own', () => {
    const all = ['m1-0', 'm1-1', 'm1-2'].map((id) => message(id));
    write('down', ...all);
    write('up', message('m2-0'), message('m3-0'), message('m2-1'));
    const shared = { shared: true, sent: marks(message('m2-0'), message('m2-1')) };
    const joined = { shared: true, attached: true, life: 3, sent: marks(message('m3-0')) };
    expect(faults(record({ ...shared, came: marks(...all) }), record({ ...joined, came: marks(...all.slice(1)) }))).toEqual([]);
    expect(faults(record({ ...shared, came: marks(...all.slice(1)) }), record({ ...joined, came: marks(all[0]!, all[2]!) }))).toHaveLength(2);
  });

  it('finds the stream of a client that knows another id of it, unless something is wrong with it or it is taken', () => {
    write('down', message('m1-0'), message('m1-1'));
    write('up', message('m2-0'));
    const own = record({ id: 'own', came: marks(message('m1-0')), sent: marks(message('m2-0')) });
    const none = 'bob: no stream of the server\'s is like that of life 2';
    expect(faults(own, { ...own, attached: true })).toEqual([]);
    expect(faults({ ...own, came: marks(message('m1-1')) })).toEqual([none]);
    expect(faults({ ...own, sent: [] })).toEqual([none]);
    expect(faults({ ...own, id: 's1' }, own)).toEqual([none]);
  });

  it('tells what reached the server, and what it sent', () => {
    write('up', message('m1-0'), message('m1-1'), message('m1-2'), message('m1-3', ` type='error'`));
    write('down', message('m1-0'), message('m1-1'), message('m1-2', ` type='error'`));
    const of = (what: 'reachedAt' | 'deliveredAt') => [0, 1, 2, 3].filter((number) => tape[what](`m1-${number}`));
    expect([of('reachedAt'), of('deliveredAt')]).toEqual([[0, 1, 2], [0, 1]]);
  });
});
