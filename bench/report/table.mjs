/** Rows of statistics.mjs as text. */

const SIGNS = new Map([
  [true, 'met'],
  [false, 'MISSED'],
]);

function definitionOf(row, scenarios) {
  return scenarios.find(({ name }) => name === row.scenario).metrics[row.metric];
}

/** A value with its unit, such as `0.91 s per 100k messages`. */
export function formatValue(value, { digits = 2, unit, per }) {
  return `${value.toFixed(digits)} ${unit}${per ? ` per ${per}` : ''}`;
}

/** Such as `0.45 (0.43-0.48)`; the range is left out where there was one round. */
export function formatRange({ median, min, max }, digits, rounds) {
  return rounds > 1 ? `${median.toFixed(digits)} (${min.toFixed(digits)}-${max.toFixed(digits)})` : median.toFixed(digits);
}

function percent(share) {
  return `${Math.round(share * 100)} %`;
}

/** Columns as wide as their widest cell. */
function align(lines) {
  const widths = lines[0].map((_, column) => Math.max(...lines.map((line) => line[column].length)));
  return lines.map((line) => line.map((cell, column) => (column < 2 ? cell.padEnd(widths[column]) : cell.padStart(widths[column]))).join('  ').trimEnd());
}

/**
 * For the console. `core` is how busy the measured core was, `load` the busiest of what measures.
 * @param judges whether the figures are good enough to be held against the goals
 */
export function consoleTable(rows, scenarios, { judges }) {
  const lines = [['what', 'target', 'median (min-max)', 'unit', 'to the floor', 'goal', '', 'core', 'load', 'LOST']];
  for (const row of rows) {
    const definition = definitionOf(row, scenarios);
    const { digits = 2, unit, per, absolute, atLeast } = definition;
    const judged = judges && row.target.startsWith('ours') && row.goal !== undefined;
    const goal = judged ? `${atLeast ? '>=' : '<='} ${row.goal}${absolute ? ` ${unit}` : ''}` : '';
    lines.push([
      `${row.scenario} ${row.metric}`,
      row.target,
      formatRange(row.value, digits, row.rounds),
      per ? `${unit} per ${per}` : unit,
      row.ratio ? formatRange(row.ratio, 2, row.rounds) : '',
      goal,
      judged ? (SIGNS.get(row.met) ?? '') : '',
      percent(row.targetBusy),
      percent(row.ownBusiest),
      String(row.lost),
    ]);
  }
  return align(lines).join('\n');
}
