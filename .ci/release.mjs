/**
 * `npm run release -- 1.2.3`: what stands against that release, and what it would do. Nothing is changed.
 * `--yes`: writes the version and the change log's section, runs `.ci/run`, commits and tags. Pushing is left to you.
 * `--publish`: for the workflow that the tag starts, since only there npm can say where a package came from: checks that
 * this commit is that release, and publishes it.
 */
import { execFileSync } from 'node:child_process';
import { readFileSync, writeFileSync } from 'node:fs';
import process from 'node:process';

const [version = '', ...flags] = process.argv.slice(2);
const tag = `v${version}`;
const manifest = JSON.parse(readFileSync('package.json', 'utf8'));
const changes = readFileSync('CHANGELOG.md', 'utf8');

function say(text) {
  process.stdout.write(`release: ${text}\n`);
}

function stop(reasons) {
  for (const reason of reasons) process.stderr.write(`release: ${reason}\n`);
  process.exit(1);
}

const read = (program, ...args) => execFileSync(program, args, { encoding: 'utf8' }).trim();
const run = (program, ...args) => void execFileSync(program, args, { stdio: 'inherit' });

/** The text below a heading of the change log; '' for none. */
function section(name) {
  const at = changes.split(/^## /m).find((text) => text.split(/[ \n]/, 1)[0] === name);
  return at?.slice(at.indexOf('\n') + 1).trim() ?? '';
}

/** Whether one version comes after another, pre-releases aside. */
function isLater(one, other) {
  const [a, b] = [one, other].map((text) => text.split('-')[0].split('.').map(Number));
  const at = a.findIndex((part, index) => part !== b[index]);
  return at >= 0 && a[at] > b[at];
}

const wrong = [];
if (!/^\d+\.\d+\.\d+(-[\w.]+)?$/.test(version)) stop([`usage: npm run release -- 1.2.3 [--yes | --publish]`]);
for (const flag of flags) if (!['--yes', '--publish'].includes(flag)) stop([`unknown: ${flag}`]);
if (!manifest.repository) wrong.push('package.json names no repository: npm compares it with the workflow that publishes');
if (read('git', 'status', '--porcelain') !== '') wrong.push('the work tree has changes that are not committed');

if (flags.includes('--publish')) {
  if (manifest.version !== version) wrong.push(`package.json says ${manifest.version}`);
  if (!read('git', 'tag', '--points-at', 'HEAD').split('\n').includes(tag)) wrong.push(`this commit has no tag ${tag}`);
  if (section(version) === '') wrong.push(`CHANGELOG.md has no section ${version}`);
  if (wrong.length > 0) stop(wrong);
  run('npm', 'publish', '--provenance', '--access', 'public', ...(version.includes('-') ? ['--tag', 'next'] : []));
} else {
  const tags = read('git', 'tag', '--list', 'v*').split('\n');
  const first = manifest.version === version && !tags.includes(tag);
  if (read('git', 'rev-parse', '--abbrev-ref', 'HEAD') !== 'main') wrong.push('this is not main');
  if (tags.includes(tag)) wrong.push(`there is a tag ${tag} already`);
  if (!first && !isLater(version, manifest.version)) wrong.push(`${version} does not come after ${manifest.version}`);
  if (section('Unreleased') === '') wrong.push('CHANGELOG.md has nothing under "Unreleased"');
  if (wrong.length > 0) stop(wrong);
  const heading = `## ${version} - ${new Date().toISOString().slice(0, 10)}`;
  if (flags.includes('--yes')) {
    run('npm', 'version', version, '--no-git-tag-version', '--allow-same-version');
    writeFileSync('CHANGELOG.md', changes.replace('## Unreleased\n', `## Unreleased\n\n${heading}\n`));
    run('.ci/run');
    run('git', 'commit', '--all', '--quiet', '--message', `build: release ${version}`);
    run('git', 'tag', '--annotate', tag, '--message', tag);
    say(`done; git push --follow-tags origin main starts the workflow that publishes ${version}`);
  } else {
    say(`${version} can be released; nothing was changed`);
    say(`with --yes: package.json and its lock say ${version}, CHANGELOG.md "${heading}", .ci/run passes, commit, tag ${tag}`);
  }
}
