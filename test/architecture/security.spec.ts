import { readFileSync } from 'node:fs';
import ts from 'typescript';
import { readManifest, readSourceFiles, rootFile } from './source-files.js';

const files = readSourceFiles();

/** The files whose text, comments left out, matches. */
function filesWith(pattern: RegExp): string[] {
  return files.filter(({ text }) => pattern.test(withoutComments(text))).map(({ path }) => path);
}

function withoutComments(text: string): string {
  return text.replace(/\/\*[^]*?\*\/|^\s*\/\/.*$|\s\/\/ .*$/gm, '');
}

/** Every regular expression of a file, as its source. */
function expressionsOf(path: string, text: string): string[] {
  const found: string[] = [];
  const visit = (node: ts.Node): void => {
    if (ts.isRegularExpressionLiteral(node)) found.push(node.text.slice(1, node.text.lastIndexOf('/')));
    ts.forEachChild(node, visit);
  };
  visit(ts.createSourceFile(path, text, ts.ScriptTarget.ES2023, false));
  return found;
}

/** Whether something that may repeat without end stands in a group that does: where backtracking can explode. */
function repeatsRepeats(source: string): boolean {
  /** For each open group: whether something in it repeats. */
  const groups: boolean[] = [false];
  const endless = (at: number): boolean => /^(?:[*+]|\{\d+,\})/.test(source.slice(at));
  for (let i = 0; i < source.length; i++) {
    const char = source[i]!;
    if (char === '\\') i++;
    else if (char === '[') {
      for (i++; source[i] !== ']'; i++) if (source[i] === '\\') i++;
    } else if (char === '(') {
      groups.push(false);
      continue;
    } else if (char === ')') {
      const repeats = groups.pop()!;
      if (repeats && endless(i + 1)) return true;
      groups[groups.length - 1] ||= repeats;
    }
    if (endless(i + 1)) groups[groups.length - 1] = true;
  }
  return false;
}

describe('one way to read XML', () => {
  it('R5: one scanner reads frames, bodies and what comes from the server; xml-js reads only what it accepted', () => {
    expect(filesWith(/from ['"]xml-js['"]/)).toEqual(['xml/element.ts']);
    expect(filesWith(/\bxml2js\(/)).toEqual(['xml/element.ts']);
  });

  it('R20: no document object model, and no other parser, is on the way of any byte', () => {
    const packages = Object.keys(readManifest().dependencies ?? {});
    expect(packages.toSorted()).toEqual(['tslib', 'xml-js']);
    expect(filesWith(/DOMParser|\b(?:@xmldom\/xmldom|jsdom|libxmljs|ltx|saxes|sax|node-expat|fast-xml-parser|xml2js)['"]/)).toEqual([]);
  });
});

describe('what nobody may guess or time', () => {
  it('R10: nothing but the order of SRV records comes from a generator that can be guessed', () => {
    expect(filesWith(/Math\.random/)).toEqual(['upstream/tcp/srv.ts']);
  });

  it('R23: secrets are compared in constant time, as digests', () => {
    const comparing = filesWith(/\btimingSafeEqual\(/);
    for (const path of ['bosh/key-sequence.ts', 'shared/key-ring.ts', 'upstream/embedded/sasl.ts', 'upstream/embedded/scram.ts']) {
      expect(comparing).toContain(path);
    }
    const secret = String.raw`\w*(?:secret|password|digest|ticket|token|proof|signature)`;
    const value = String.raw`(?!undefined\b|null\b)[a-z(]`;
    const operators = new RegExp(String.raw`\b${secret}\s*[!=]==\s*${value}|[\w)]\s*[!=]==\s*(?:\w+\.)*${secret}\b(?!\.length)`, 'i');
    const offences = files.flatMap(({ path, text }) =>
      withoutComments(text)
        .split('\n')
        .filter((line) => operators.test(line))
        .map((line) => `${path}: ${line.trim()}`),
    );
    // Digests under a secret of ours: what is compared tells nothing of the key, and its owner gave it.
    expect(offences.filter((line) => !/^shared\/sharing\.service\.ts: .*stream\.digest === digest/.test(line))).toEqual([]);
  });
});

describe('regular expressions', () => {
  it('R19: none repeats a repetition, but those that can read no text in two ways', () => {
    /** Each is known to have one way only: what separates the repetitions can stand in none of them. */
    const PROVEN = new Set([
      'bosh/creation.ts',
      'bosh/http-answers.ts',
      'sasl/client.ts',
      'upstream/embedded/sasl.ts',
      'upstream/embedded/scram.ts',
      'xml/element.ts',
    ]);
    const found = files.flatMap(({ path, text }) => expressionsOf(path, text).filter(repeatsRepeats).map((source) => `${path}: ${source}`));
    expect(found.filter((line) => !PROVEN.has(line.slice(0, line.indexOf(':'))))).toEqual([]);
  });

  it.each(['(a+)+', '(?:a*b?)*', '((a+)b)*', '(?:[x+]+,)+', 'a{2,}(b{1,})+'])('finds %s', (source) => {
    expect(repeatsRepeats(source)).toBe(true);
  });

  it.each(['(?:a)+b+', '(?:[a+*])+', '(\\+)+', '(a{1,3})+', '([(+)])*a+'])('lets %s be', (source) => {
    expect(repeatsRepeats(source)).toBe(false);
  });
});

it('R19: the ws that the lock file names is one without known holes', () => {
  const lock = JSON.parse(readFileSync(rootFile('package-lock.json'), 'utf8')) as { packages: Record<string, { version?: string }> };
  const versions = Object.entries(lock.packages).filter(([path]) => path.endsWith('node_modules/ws')).map(([, { version }]) => version!);
  expect(versions.length).toBeGreaterThan(0);
  // CVE-2016-10542, CVE-2021-32640, CVE-2024-37890: the last was mended in 8.17.1.
  const number = (version: string): number => version.split('.').reduce((sum, part) => sum * 1000 + Number(part), 0);
  expect(versions.filter((version) => number(version) < number('8.17.1'))).toEqual([]);
});
