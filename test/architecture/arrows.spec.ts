import { readFolders, readManifest, readSourceFiles, type SourceFile } from './source-files.js';

/**
 * Who may import whom. A room is a folder or a file of lib; the first that fits a file is its room. What is
 * not listed for a room, it must not import, and a file without a room fails: a new room gets its rule here.
 */
const ROOMS: readonly { readonly name: string; readonly files: RegExp; readonly imports: readonly string[] | 'all' }[] = [
  // Bytes, sixteen at a time.
  { name: 'simd', files: /^simd\.ts$/, imports: [] },
  { name: 'xml', files: /^xml\//, imports: ['simd'] },
  { name: 'clock', files: /^clock\.ts$/, imports: [] },
  // When writes are gathered.
  { name: 'turn', files: /^turn\.ts$/, imports: [] },
  { name: 'ws', files: /^ws\.ts$/, imports: [] },
  { name: 'http', files: /^http\//, imports: ['clock'] },
  // What a sender is told, by the embedded server and by the app's hooks.
  { name: 'stanza-error', files: /^stanza-error\.ts$/, imports: ['xml'] },
  // Both sides of it: the embedded server's, and ours as a client.
  { name: 'sasl', files: /^sasl\//, imports: [] },
  { name: 'port', files: /^upstream\/upstream\.ts$/, imports: ['xml'] },
  // Between the nodes of a cluster.
  { name: 'bus', files: /^bus\.ts$/, imports: [] },
  { name: 'options', files: /^xmpp\.options\.ts$/, imports: ['bus', 'port'] },
  // What nodes say to each other is the business of those who say it.
  { name: 'cluster', files: /^cluster\//, imports: ['bus', 'options', 'clock'] },
  {
    name: 'upstreams',
    files: /^upstream\/(?:upstreams|url)\.ts$/,
    imports: ['embedded', 'tcp', 'upstream-websocket', 'connection', 'port', 'options', 'clock', 'xml'],
  },
  // The kinds of upstream know nothing of the web, of the options of the module, nor of each other's business.
  { name: 'embedded', files: /^upstream\/embedded\//, imports: ['sasl', 'stanza-error', 'port', 'clock', 'xml'] },
  { name: 'tcp', files: /^upstream\/tcp\//, imports: ['connection', 'port', 'clock', 'turn', 'xml'] },
  // It dials as the one over TCP does: PROXY header and TLS are the same.
  { name: 'upstream-websocket', files: /^upstream\/websocket\//, imports: ['tcp', 'connection', 'port', 'ws', 'clock', 'turn', 'xml'] },
  // What the kinds that dial a server have in common.
  { name: 'connection', files: /^upstream\/[^/]+\.ts$/, imports: ['port', 'clock', 'xml'] },
  { name: 'session', files: /^session\//, imports: ['cluster', 'upstreams', 'stanza-error', 'port', 'options', 'clock', 'xml'] },
  { name: 'shared', files: /^shared\//, imports: ['cluster', 'session', 'http', 'port', 'options', 'clock', 'xml'] },
  // Transports know their protocol and the session; the way back is the Client port that they implement.
  { name: 'websocket', files: /^websocket\//, imports: ['simd', 'shared', 'session', 'port', 'http', 'options', 'clock', 'turn', 'xml'] },
  { name: 'bosh', files: /^bosh\//, imports: ['cluster', 'shared', 'session', 'port', 'http', 'options', 'clock', 'xml'] },
  // Logs web users in, by what the app knows of them.
  { name: 'login', files: /^login\//, imports: ['session', 'sasl', 'http', 'port', 'options', 'clock', 'xml'] },
  // Logs in as a client does, and hands what it has to one that a transport makes.
  { name: 'prebind', files: /^prebind\//, imports: ['bosh', 'shared', 'login', 'session', 'sasl', 'port', 'options', 'clock', 'xml'] },
  { name: 'discovery', files: /^discovery\//, imports: ['http', 'options', 'xml'] },
  { name: 'observability', files: /^observability\//, imports: ['cluster', 'bosh', 'websocket', 'shared', 'session', 'upstreams', 'port', 'options', 'clock', 'xml'] },
  // Finds the app's hooks, and hands them to the ports that the session has for them.
  { name: 'hooks', files: /^hooks\//, imports: ['session', 'xml'] },
  // A host's own tests: nothing that runs in production imports it.
  { name: 'testing', files: /^testing\//, imports: ['module', 'port', 'options', 'ws', 'clock', 'xml'] },
  // For operators, behind the app's guard.
  { name: 'admin', files: /^admin\//, imports: ['observability', 'shared', 'session', 'options'] },
  // A client of its own, and its command: nothing of a running app.
  { name: 'doctor', files: /^(?:doctor\/|cli\.ts$)/, imports: ['ws', 'xml'] },
  { name: 'module', files: /^(?:xmpp\.module|xmpp\.module-definition|index)\.ts$/, imports: 'all' },
];

/** Files that are one idea and yet longer than the others may be, with their own limit. */
const LONG_FILES: Readonly<Record<string, number>> = {
  // One state machine; cutting it up would put a call on the path of every byte.
  'xml/scanner.ts': 630,
  // One state machine: the client's side of XEP-0124.
  'bosh/client.ts': 560,
  // One table: every option once, its type beside its rule.
  'xmpp.options.ts': 560,
};
const MOST_LINES = 500;

const files = readSourceFiles();

function roomOf(path: string): (typeof ROOMS)[number] {
  const room = ROOMS.find((candidate) => candidate.files.test(path));
  if (!room) throw new Error(`lib/${path} belongs to no room: say in test/architecture/arrows.spec.ts what it may import`);
  return room;
}

/** One line for each import that breaks a rule, so that a failure names them all. */
function offences(breaks: (file: SourceFile, specifier: string, target: string | undefined, typeOnly: boolean) => boolean): string[] {
  return files.flatMap((file) =>
    file.imports
      .filter(({ specifier, target, typeOnly }) => breaks(file, specifier, target, typeOnly))
      .map(({ specifier }) => `lib/${file.path} imports ${specifier}`),
  );
}

describe('the arrows between the rooms of lib', () => {
  it('lead nowhere but where the rule of a room allows', () => {
    expect(
      offences((file, _specifier, target) => {
        if (target === undefined) return false;
        const from = roomOf(file.path);
        const to = roomOf(target);
        return from !== to && from.imports !== 'all' && !from.imports.includes(to.name);
      }),
    ).toEqual([]);
  });

  it('lead to the testing kit from nowhere', () => {
    expect(offences((file, _specifier, target) => target?.startsWith('testing/') === true && roomOf(file.path).name !== 'testing')).toEqual([]);
  });

  it('form no circle', () => {
    const arrows = new Map(ROOMS.map(({ name, imports }) => [name, imports === 'all' ? [] : imports]));
    const circles: string[] = [];
    const walk = (name: string, path: readonly string[]): void => {
      if (path.includes(name)) circles.push([...path, name].join(' -> '));
      else for (const next of arrows.get(name) ?? []) walk(next, [...path, name]);
    };
    for (const name of arrows.keys()) walk(name, []);
    expect(circles).toEqual([]);
  });

  it('enter a folder of another room through its index.ts, where it has one', () => {
    const faces = files.filter(({ path }) => path.endsWith('/index.ts')).map(({ path }) => path.replace(/index\.ts$/, ''));
    const top = (path: string): string => path.split('/', 1)[0] as string;
    expect(
      offences((file, _specifier, target) => {
        if (target === undefined || top(target) === top(file.path)) return false;
        return faces.some((face) => target.startsWith(face) && target !== `${face}index.ts`);
      }),
    ).toEqual([]);
  });

  it('lead to files that exist', () => {
    const known = new Set(files.map(({ path }) => path));
    expect(offences((_file, _specifier, target) => target !== undefined && !known.has(target))).toEqual([]);
  });
});

describe('what lib takes from outside', () => {
  const { dependencies, peerDependencies } = readManifest();
  const packageName = (specifier: string): string => /^(?:@[^/]+\/)?[^/]+/.exec(specifier)?.[0] ?? specifier;
  const isPackage = (specifier: string): boolean => !specifier.startsWith('.') && !specifier.startsWith('node:');

  it('is a package by its name, never a file deep inside it', () => {
    expect(offences((_file, specifier) => isPackage(specifier) && packageName(specifier) !== specifier)).toEqual([]);
  });

  it('is declared as a dependency or as a peer wherever it is loaded at run time', () => {
    const declared = new Set(Object.keys({ ...dependencies, ...peerDependencies }));
    expect(offences((_file, specifier, _target, typeOnly) => isPackage(specifier) && !typeOnly && !declared.has(specifier))).toEqual([]);
  });

  it('names the modules of Node with node:', async () => {
    const { builtinModules } = await import('node:module');
    expect(offences((_file, specifier) => builtinModules.includes(specifier))).toEqual([]);
  });
});

describe('the shape of lib', () => {
  it('has no folder for odds and ends', () => {
    expect(readFolders().filter((folder) => /(?:^|\/)(?:utils?|helpers?|common|misc|lib)$/.test(folder))).toEqual([]);
  });

  it('gives every room an index.ts as its face; the face of upstream/ is its port', () => {
    const known = new Set(files.map(({ path }) => path));
    const rooms = readFolders().filter((folder) => !folder.includes('/') && folder !== 'upstream');
    const inhabited = rooms.filter((room) => files.some(({ path }) => path.startsWith(`${room}/`)));
    expect(inhabited.filter((room) => !known.has(`${room}/index.ts`))).toEqual([]);
    expect(known).toContain('upstream/upstream.ts');
  });

  it('keeps a file short enough to be read at a sitting', () => {
    const lengths = files.map(({ path, text }) => ({ path, lines: text.split('\n').length - 1 }));
    expect(lengths.filter(({ path, lines }) => lines > (LONG_FILES[path] ?? MOST_LINES))).toEqual([]);
  });

  it('names only rooms, exceptions and files that still exist', () => {
    const known = new Set(files.map(({ path }) => path));
    expect(Object.keys(LONG_FILES).filter((path) => !known.has(path))).toEqual([]);
    expect(ROOMS.filter((room) => !files.some(({ path }) => room.files.test(path))).map(({ name }) => name)).toEqual([]);
  });
});
