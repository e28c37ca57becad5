import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import ts from 'typescript';
import { rootFile } from '../architecture/source-files.js';

/** A fenced block of a page, and what stands in a comment before it: declarations that its reader has, `<!-- given: … -->`. */
interface Block {
  readonly page: string;
  /** Of its first line of code. */
  readonly line: number;
  readonly language: string;
  readonly given: string;
  readonly code: string;
}

const FENCE = /(?:<!-- given: ([^]*?) -->\s*?\n)?^```(\w+)[^\n]*\n([^]*?)^```$/gm;

function blocksOf(page: string): Block[] {
  const text = readFileSync(rootFile(page), 'utf8');
  return [...text.matchAll(FENCE)].map(({ 0: whole, 1: given = '', 2: language, 3: code, index }) => ({
    page,
    line: text.slice(0, index + whole.indexOf('```')).split('\n').length + 1,
    language: language!,
    given,
    code: code!,
  }));
}

const PAGES = ['README.md', 'CONTRIBUTING.md', 'SECURITY.md', ...readdirSync(rootFile('docs'), { recursive: true, encoding: 'utf8' })
  .filter((name) => name.endsWith('.md'))
  .map((name) => `docs/${name}`)].filter((page) => ts.sys.fileExists(rootFile(page)));
const blocks = PAGES.flatMap(blocksOf);
const inLanguage = (...languages: string[]) =>
  blocks.filter(({ language }) => languages.includes(language)).map((block) => [`${block.page}:${block.line}`, block] as const);

/** Where the blocks would be files: beside the tests, so that they see what a host app sees. */
const fileOf = ({ page, line, language }: Block) => rootFile(join('test', 'docs', `${page.replace(/\W/g, '-')}-${line}.${language}`));

describe('the code in the documentation', () => {
  let complaints: Map<string, string[]>;

  beforeAll(() => {
    const sources = new Map(inLanguage('ts').map(([, block]) => [fileOf(block), `${block.given}\nexport {};\n${block.code}`]));
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

  it.each(inLanguage('ts'))('%s compiles', (_name, block) => {
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

  it('links to files and headings that there are', () => {
    const broken = PAGES.flatMap((page) => {
      const text = readFileSync(rootFile(page), 'utf8').replace(/^```[^]*?^```$/gm, '');
      return [...text.matchAll(/\]\((?!https?:|mailto:)([^)\s]*)\)/g)].map(([, target]) => target!).filter((target) => !leads(page, target)).map((target) => `${page}: ${target}`);
    });
    expect(broken).toEqual([]);
  });
});

function lineAt(text: string, start = 0): string {
  return text.slice(text.lastIndexOf('\n', start - 1) + 1).split('\n')[0]!.trim();
}

function leads(page: string, target: string): boolean {
  const [path, heading] = target.split('#') as [string, string?];
  const file = path === '' ? page : join(page, '..', path);
  if (!ts.sys.fileExists(rootFile(file)) && !ts.sys.directoryExists(rootFile(file))) return false;
  if (heading === undefined || !file.endsWith('.md')) return true;
  const slugs = readFileSync(rootFile(file), 'utf8').matchAll(/^#+ (.+)$/gm);
  return [...slugs].some(([, title]) => title!.toLowerCase().replace(/[^\p{L}\p{N} _-]/gu, '').replace(/ /g, '-') === heading);
}
