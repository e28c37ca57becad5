import { execFile } from 'node:child_process';
import { rootFile } from '../architecture/source-files.js';

/** Seconds that a busy machine of two slow cores may take. */
const PATIENCE = 300_000;

/** What a program prints, and how it ends: whoever compares sees why. */
function run(script: string, ...args: string[]): Promise<{ code: unknown; output: string }> {
  const settings = { cwd: rootFile('.'), env: { ...process.env, NO_COLOR: '1' } };
  return new Promise((resolve) => {
    execFile(process.execPath, [rootFile(script), ...args], settings, (error, stdout, stderr) =>
      resolve({ code: error?.code ?? 0, output: stdout + stderr }),
    );
  });
}

describe('the public API', () => {
  it('is what the reports in this folder say (npm run api writes them)', async () => {
    expect(await run('test/api/report.mjs', '--check')).toEqual({ code: 0, output: 'API: index, client, testing: as reported\n' });
  }, PATIENCE);

  it('has a docstring for every member, and links that lead somewhere', async () => {
    const { code, output } = await run('node_modules/typedoc/bin/typedoc', '--emit', 'none');
    expect({ code, complaints: output.split('\n').filter((line) => /\[(warning|error)\]/.test(line)) }).toEqual({ code: 0, complaints: [] });
  }, PATIENCE);
});
