/** What becomes of the measurements. */
export { fill, sections } from './page.mjs';
export { plot } from './plot.mjs';
export { PART_NAMES, partsOf, selfTimes, topOf } from './profile.mjs';
export { readResults } from './results.mjs';
export { rowsOf, summarize } from './statistics.mjs';
export { align, consoleTable, formatRange, markdownTable } from './table.mjs';
