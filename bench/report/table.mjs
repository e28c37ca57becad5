/** Rows of statistics.mjs as text, for the console and for Markdown. */

/** `0.45 (0.43-0.48)`; without the range where there was one round. */
export function formatRange({ median, min, max }, digits, rounds) {
  return rounds > 1 ? `${median.toFixed(digits)} (${min.toFixed(digits)}-${max.toFixed(digits)})` : median.toFixed(digits);
}

/** A value with its unit, such as `0.91 s per 100k messages`. */
export function formatValue(value, { digits = 2, unit, per }) {
  return `${value.toFixed(digits)} ${unit}${per ? ` per ${per}` : ''}`;
}

/** `<= 0.5`, or `<= 12 MB` where it is not a ratio to the floor. */
export function formatGoal(goal, { absolute, atLeast, unit }) {
  return `${atLeast ? '>=' : '<='} ${goal}${absolute ? ` ${unit}` : ''}`;
}

export function formatPercent(share) {
  return `${Math.round(share * 100)} %`;
}

/** The metric that a row is about, as scenarios.mjs defines it. */
export function metricOf(row, scenarios) {
  return scenarios.find(({ name }) => name === row.scenario).metrics[row.metric];
}

/** Columns as wide as their widest cell; the first two to the left, numbers to the right. */
export function align(lines) {
  const widths = lines[0].map((_, column) => Math.max(...lines.map((line) => line[column].length)));
  const pad = (cell, column) => (column < 2 ? cell.padEnd(widths[column]) : cell.padStart(widths[column]));
  return lines.map((line) => line.map(pad).join('  ').trimEnd()).join('\n');
}

/** @param lines the head first */
export function markdownTable([head, ...lines]) {
  const row = (cells) => `| ${cells.join(' | ')} |`;
  return [row(head), row(head.map(() => '---')), ...lines.map(row)].join('\n');
}

/**
 * For the console. `core` is how busy the measured core was, `load` the busiest of what measures.
 * @param judges whether the figures are good enough to be held against the goals
 */
export function consoleTable(rows, scenarios, { judges }) {
  const lines = [['what', 'target', 'median (min-max)', 'unit', 'to the floor', 'goal', '', 'core', 'load', 'LOST']];
  for (const row of rows) {
    const metric = metricOf(row, scenarios);
    const { digits = 2, unit, per } = metric;
    const judged = judges && row.target.startsWith('ours') && row.goal !== undefined;
    lines.push([
      `${row.scenario} ${row.metric}`,
      row.target,
      formatRange(row.value, digits, row.rounds),
      per ? `${unit} per ${per}` : unit,
      row.ratio ? formatRange(row.ratio, 2, row.rounds) : '',
      judged ? formatGoal(row.goal, metric) : '',
      judged ? verdict(row.met) : '',
      formatPercent(row.targetBusy),
      formatPercent(row.ownBusiest),
      String(row.lost),
    ]);
  }
  return align(lines);
}

export function verdict(met) {
  return met === undefined ? '' : met ? 'met' : 'MISSED';
}
