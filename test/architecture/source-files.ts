import { readdirSync, readFileSync } from 'node:fs';
import { dirname, join, posix, relative, sep } from 'node:path';
import { fileURLToPath } from 'node:url';
import ts from 'typescript';

const ROOT = join(dirname(fileURLToPath(import.meta.url)), '..', '..');
const LIB = join(ROOT, 'lib');

export interface SourceImport {
  readonly specifier: string;
  /** For an import of the project's own: the file, relative to lib, with `/`. */
  readonly target: string | undefined;
  /** Gone after compilation: `import type`, or nothing but types in the braces. */
  readonly typeOnly: boolean;
}

export interface SourceFile {
  /** Relative to lib, with `/`. */
  readonly path: string;
  readonly text: string;
  readonly imports: readonly SourceImport[];
}

/** Every TypeScript file under lib, with what it imports and exports from elsewhere. */
export function readSourceFiles(): SourceFile[] {
  return readdirSync(LIB, { recursive: true, encoding: 'utf8' })
    .filter((file) => file.endsWith('.ts'))
    .map((file) => file.split(sep).join('/'))
    .toSorted()
    .map((path) => {
      const text = readFileSync(join(LIB, path), 'utf8');
      return { path, text, imports: readImports(path, text) };
    });
}

/** The folders under lib, relative to it. */
export function readFolders(): string[] {
  return readdirSync(LIB, { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isDirectory())
    .map((entry) => relative(LIB, join(entry.parentPath, entry.name)).split(sep).join('/'));
}

export type Manifest = Readonly<
  Record<'dependencies' | 'peerDependencies' | 'devDependencies' | 'overrides', Readonly<Record<string, string>> | undefined>
>;

export function readManifest(): Manifest {
  return JSON.parse(readFileSync(rootFile('package.json'), 'utf8')) as Manifest;
}

/** The path of a file of the repository. */
export function rootFile(path: string): string {
  return join(ROOT, path);
}

function readImports(path: string, text: string): SourceImport[] {
  const imports: SourceImport[] = [];
  const add = (specifier: string, typeOnly: boolean): void => {
    const target = specifier.startsWith('.') ? posix.join(posix.dirname(path), specifier).replace(/\.js$/, '.ts') : undefined;
    imports.push({ specifier, target, typeOnly });
  };
  const visit = (node: ts.Node): void => {
    if ((ts.isImportDeclaration(node) || ts.isExportDeclaration(node)) && node.moduleSpecifier && ts.isStringLiteral(node.moduleSpecifier)) {
      add(node.moduleSpecifier.text, isTypeOnly(node));
    } else if (ts.isCallExpression(node) && node.expression.kind === ts.SyntaxKind.ImportKeyword) {
      const [argument] = node.arguments;
      if (argument && ts.isStringLiteral(argument)) add(argument.text, false);
    }
    ts.forEachChild(node, visit);
  };
  visit(ts.createSourceFile(path, text, ts.ScriptTarget.ES2023, false));
  return imports;
}

function isTypeOnly(node: ts.ImportDeclaration | ts.ExportDeclaration): boolean {
  if (ts.isExportDeclaration(node)) return node.isTypeOnly;
  const clause = node.importClause;
  if (!clause) return false;
  if (clause.phaseModifier === ts.SyntaxKind.TypeKeyword) return true;
  const { namedBindings } = clause;
  if (clause.name || !namedBindings || !ts.isNamedImports(namedBindings)) return false;
  return namedBindings.elements.length > 0 && namedBindings.elements.every((element) => element.isTypeOnly);
}
