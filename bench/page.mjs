/** `npm run bench:page`: writes what comes from bench/results/*.json into docs/PERFORMANCE.md, and the picture. */
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { RESULTS, ROOT } from './paths.mjs';
import { fill, plot, readResults, sections } from './report/index.mjs';
import { SCENARIOS } from './scenarios.mjs';

const { files, runs, profiles } = readResults(RESULTS);
const page = join(ROOT, 'docs', 'PERFORMANCE.md');
const picture = join(ROOT, 'docs', 'images', 'performance.svg');
writeFileSync(page, fill(readFileSync(page, 'utf8'), sections(runs, SCENARIOS, profiles)));
writeFileSync(picture, plot(runs, SCENARIOS));
console.log(`docs/PERFORMANCE.md and docs/images/performance.svg show ${files.join(', ')}`);
