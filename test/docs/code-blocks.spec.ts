import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import ts from 'typescript';
import { rootFile } from '../architecture/source-files.js';
import { PAGES } from './pages.js';

/**
 * A fenced block of a page. It compiles by itself, with what a comment before it declares, `<!-- given: … -->`; or it is
 * part of a file that compiles, and begins with that file's name; or another comment says what test/pack/newcomer.mjs
 * does with it.
 */
interface Block {
  readonly page: string;
  /** Of its first line of code. */
  readonly line: number;
  readonly language: string;
  readonly given: string;
  /** The file that it is part of. */
  readonly source: string | undefined;
  readonly code: string;
}

const FENCE = /(?:^<!-- (.*?) -->\n)?^```(\w+)[^\n]*\n([^]*?)^```$/gm;

function blocksOf(page: string): Block[] {
  const text = readFileSync(rootFile(page), 'utf8');
  return [...text.matchAll(FENCE)].flatMap(({ 0: whole, 1: comment = 'given: ', 2: language, 3: code, index }) => {
    if (!comment.startsWith('given: ') && language === 'ts') return [];
    const [, source] = /^\/\/ (\S+\.tsx?)\n/.exec(code!) ?? [];
    const line = text.slice(0, index + whole.indexOf('```')).split('\n').length + 1;
    return [{ page, line, language: language!, given: comment.slice('given: '.length), source, code: code! }];
  });
}

const named = (some: readonly Block[]) => some.map((block) => [`${block.page}:${block.line}`, block] as const);
const blocks = PAGES.flatMap(blocksOf);
const inLanguage = (...languages: string[]) => named(blocks.filter(({ language }) => languages.includes(language)));

/** Where the blocks would be files: beside the tests, so that they see what a host app sees. */
const fileOf = ({ page, line, language }: Block) => rootFile(join('test', 'docs', `${page.replace(/\W/g, '-')}-${line}.${language}`));

const typescript = blocks.filter(({ language }) => language === 'ts');
const alone = typescript.filter(({ source }) => source === undefined);
const excerpts = typescript.filter(({ source }) => source !== undefined);

describe('the code in the documentation', () => {
  let complaints: Map<string, string[]>;

  beforeAll(() => {
    const sources = new Map(alone.map((block) => [fileOf(block), `${block.given}\nexport {};\n${block.code}`]));
    const { config } = ts.readConfigFile(rootFile('tsconfig.json'), ts.sys.readFile) as { config: object };
    const { options } = ts.parseJsonConfigFileContent({ ...config, files: [], include: [] }, ts.sys, rootFile('.'));
    const settings: ts.CompilerOptions = {
      ...options,
      lib: ['lib.es2023.d.ts', 'lib.dom.d.ts', 'lib.dom.iterable.d.ts'],
      paths: { ...options.paths, 'nestjs-xmpp/client': [rootFile('client/index.ts')] },
      noUnusedLocals: false,
      noUnusedParameters: false,
    };
    const host = ts.createCompilerHost(settings);
    const { fileExists, readFile, getSourceFile } = host;
    host.fileExists = (file) => sources.has(file) || fileExists.call(host, file);
    host.readFile = (file) => sources.get(file) ?? readFile.call(host, file);
    host.getSourceFile = (file, version, ...rest) => {
      const text = sources.get(file);
      return text === undefined ? getSourceFile.call(host, file, version, ...rest) : ts.createSourceFile(file, text, version);
    };
    const program = ts.createProgram([...sources.keys()], settings, host);
    complaints = new Map();
    for (const file of sources.keys()) {
      const source = program.getSourceFile(file)!;
      const found = [...program.getSyntacticDiagnostics(source), ...program.getSemanticDiagnostics(source)];
      complaints.set(file, found.map(({ messageText, start }) => `${lineAt(source.text, start)}: ${ts.flattenDiagnosticMessageText(messageText, '\n')}`));
    }
  });

  it.each(named(excerpts))('%s is what stands in the file that it names', (_name, { source, code }) => {
    // An excerpt may stand further in, in the file.
    const flat = (text: string) => text.split('\n').map((line) => line.trim()).join('\n');
    expect(flat(readFileSync(rootFile(source!), 'utf8'))).toContain(flat(code.slice(code.indexOf('\n') + 1)).trim());
  });

  it.each(named(alone))('%s compiles', (_name, block) => {
    expect(complaints.get(fileOf(block))).toEqual([]);
  });

  it('is JavaScript or JSON where it says so', () => {
    const compilerOptions = { allowJs: true, target: ts.ScriptTarget.ES2023 };
    const wrong = inLanguage('js', 'mjs', 'json').filter(([, { language, code }]) => {
      const fileName = `block.${language}`;
      return ts.transpileModule(code, { fileName, reportDiagnostics: true, compilerOptions }).diagnostics!.length > 0;
    });
    expect(wrong.map(([name]) => name)).toEqual([]);
  });

  it('names only npm scripts that there are', () => {
    const { scripts } = JSON.parse(readFileSync(rootFile('package.json'), 'utf8')) as { scripts: Record<string, string> };
    const named = blocks.filter(({ language }) => language === 'sh').flatMap(({ page, code }) => [...code.matchAll(/\bnpm run (?:-s |--silent )?([\w:]+)/g)].map(([, name]) => `${page}: ${name}`));
    // Scripts of the reader's own app.
    const foreign = ['docs/getting-started.md: build', 'docs/getting-started.md: start'];
    expect(named.filter((each) => !foreign.includes(each) && !(each.split(': ')[1]! in scripts))).toEqual([]);
  });
});

function lineAt(text: string, start = 0): string {
  return text.slice(text.lastIndexOf('\n', start - 1) + 1).split('\n')[0]!.trim();
}
