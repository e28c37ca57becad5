/**
 * The public API as one reads it: a report of every exported name and its type, one file for each entry point of the
 * package, made from what `npm run build` left in dist/.
 *
 * `node test/api/report.mjs` writes the reports; with `--check` it compares and ends with exit code 1 where they differ.
 */
import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import process from 'node:process';
import { fileURLToPath } from 'node:url';
import { Extractor, ExtractorConfig, ExtractorLogLevel } from '@microsoft/api-extractor';

const HERE = fileURLToPath(new URL('.', import.meta.url));
const ROOT = fileURLToPath(new URL('../..', import.meta.url));
const manifest = JSON.parse(readFileSync(join(ROOT, 'package.json'), 'utf8'));
const check = process.argv.includes('--check');
/** The conditions of the exports map that have types, by the name of their report. */
const entries = Object.entries(manifest.exports)
  .filter(([, target]) => target.types)
  .map(([path, target]) => ({ name: path === '.' ? 'index' : path.slice(2), types: join(ROOT, target.types) }));

function report({ name, types }, folder) {
  const config = ExtractorConfig.prepare({
    configObjectFullPath: join(ROOT, 'api-extractor.json'),
    packageJsonFullPath: join(ROOT, 'package.json'),
    configObject: {
      projectFolder: ROOT,
      mainEntryPointFilePath: types,
      compiler: {
        overrideTsconfig: {
          compilerOptions: {
            target: 'es2022',
            lib: ['es2022', 'dom', 'dom.iterable'],
            module: 'nodenext',
            moduleResolution: 'nodenext',
            types: ['node'],
            strict: true,
            skipLibCheck: true,
          },
          files: [types],
        },
      },
      apiReport: { enabled: true, reportFileName: `${name}.api.md`, reportFolder: folder, reportTempFolder: folder },
      docModel: { enabled: false },
      dtsRollup: { enabled: false },
      tsdocMetadata: { enabled: false },
      newlineKind: 'lf',
      messages: {
        compilerMessageReporting: { default: { logLevel: ExtractorLogLevel.Error } },
        // What the docstrings lack is for the API reference to say.
        extractorMessageReporting: { default: { logLevel: ExtractorLogLevel.None } },
        tsdocMessageReporting: { default: { logLevel: ExtractorLogLevel.None } },
      },
    },
  });
  const result = Extractor.invoke(config, { localBuild: true, showVerboseMessages: false, messageCallback: quiet });
  if (result.errorCount > 0) throw new Error(`${name}: the declarations have errors`);
  return readFileSync(join(folder, `${name}.api.md`), 'utf8');
}

function quiet(message) {
  if (message.logLevel !== ExtractorLogLevel.Error) message.handled = true;
}

const folder = mkdtempSync(join(tmpdir(), 'nestjs-xmpp-api-'));
try {
  const stale = new Set(readdirSync(HERE).filter((file) => file.endsWith('.api.md')));
  let differences = 0;
  for (const entry of entries) {
    const file = `${entry.name}.api.md`;
    const text = report(entry, folder);
    const before = stale.delete(file) ? readFileSync(join(HERE, file), 'utf8') : '';
    if (before === text) continue;
    differences++;
    if (check) process.stdout.write(`${file} is not what dist/ exports\n`);
    else writeFileSync(join(HERE, file), text);
  }
  for (const file of stale) {
    differences++;
    if (check) process.stdout.write(`${file} is of no entry point\n`);
    else rmSync(join(HERE, file));
  }
  if (check && differences > 0) {
    process.stdout.write('If the public API is meant to change: npm run api, then read the difference and commit it.\n');
    process.exitCode = 1;
  } else {
    process.stdout.write(`API: ${entries.map(({ name }) => name).join(', ')}: ${differences === 0 ? 'as reported' : 'reports written'}\n`);
  }
} finally {
  rmSync(folder, { recursive: true, force: true });
}
