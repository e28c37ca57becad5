/** `npm run bench:page`: writes what comes from bench/results/*.json into docs/PERFORMANCE.md, and the picture. */
import { readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { RESULTS, ROOT } from './paths.mjs';
import { fill, plot, sections } from './report/index.mjs';
import { SCENARIOS } from './scenarios.mjs';

const files = readdirSync(RESULTS).filter((name) => /^run-\d+\.json$/.test(name)).toSorted();
const runs = files.map((name) => JSON.parse(readFileSync(join(RESULTS, name), 'utf8')));
const page = join(ROOT, 'docs', 'PERFORMANCE.md');
const picture = join(ROOT, 'docs', 'images', 'performance.svg');
const profiles = JSON.parse(readFileSync(join(RESULTS, 'profiles.json'), 'utf8'));
writeFileSync(page, fill(readFileSync(page, 'utf8'), sections(runs, SCENARIOS, profiles)));
writeFileSync(picture, plot(runs, SCENARIOS));
console.log(`docs/PERFORMANCE.md and docs/images/performance.svg show ${files.join(', ')}`);
