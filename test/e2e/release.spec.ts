import { execFileSync, spawnSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { rootFile } from '../architecture/source-files.js';

describe('npm run release', () => {
  let folder: string;
  const git = (...args: string[]) => execFileSync('git', ['-c', 'user.name=t', '-c', 'user.email=t@localhost', ...args], { cwd: folder });
  const write = (file: string, text: string) => writeFileSync(join(folder, file), text);
  const release = (...args: string[]) => {
    const { status, stdout, stderr } = spawnSync(process.execPath, [rootFile('.ci/release.mjs'), ...args], { cwd: folder, encoding: 'utf8' });
    return { status, said: (stdout + stderr).trim().split('\n') };
  };

  beforeEach(() => {
    folder = mkdtempSync(join(tmpdir(), 'nestjs-xmpp-release-'));
    write('package.json', JSON.stringify({ name: 'x', version: '1.2.3', repository: 'x/x' }));
    write('CHANGELOG.md', '# Changelog\n\n## Unreleased\n\n### Added\n\n- Something.\n\n## 1.2.3 - 2026-01-01\n\n- The first.\n');
    git('init', '--quiet', '--initial-branch', 'main');
    git('add', '.');
    git('commit', '--quiet', '--message', 'a');
    git('tag', 'v1.2.3');
  });
  afterEach(() => rmSync(folder, { recursive: true, force: true }));

  it('changes nothing unless it is told to', () => {
    const before = readFileSync(join(folder, 'CHANGELOG.md'), 'utf8');
    expect(release('1.3.0')).toMatchObject({ status: 0, said: [expect.stringContaining('1.3.0 can be released'), expect.anything()] });
    expect(readFileSync(join(folder, 'CHANGELOG.md'), 'utf8')).toBe(before);
    expect(git('status', '--porcelain').toString() + git('tag').toString()).toBe('v1.2.3\n');
  });

  it.each(['1.2.3', '1.1.9', '0.9.0'])('refuses %s after 1.2.3', (version) => {
    expect(release(version)).toMatchObject({ status: 1, said: expect.arrayContaining([expect.stringContaining('does not come after')]) });
  });

  it('says all that stands against it', () => {
    git('checkout', '--quiet', '-b', 'other');
    write('package.json', JSON.stringify({ name: 'x', version: '1.2.3' }));
    write('CHANGELOG.md', '# Changelog\n\n## Unreleased\n\n## 1.2.3 - 2026-01-01\n');
    expect(release('1.3.0')).toEqual({
      status: 1,
      said: [
        expect.stringContaining('names no repository'),
        expect.stringContaining('not committed'),
        expect.stringContaining('not main'),
        expect.stringContaining('nothing under "Unreleased"'),
      ],
    });
  });

  it('publishes nothing but the commit that has the tag', () => {
    expect(release('1.3.0', '--publish')).toEqual({
      status: 1,
      said: [
        expect.stringContaining('package.json says 1.2.3'),
        expect.stringContaining('no tag v1.3.0'),
        expect.stringContaining('no section 1.3.0'),
      ],
    });
  });

  it.each([[[]], [['1.3']], [['1.3.0', '--now']]])('says how it is called: %j', (args) => {
    expect(release(...args).status).toBe(1);
  });
});
