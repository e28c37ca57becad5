/** Middle, least and most of some numbers. */
export function summarize(numbers) {
  if (numbers.length === 0) return undefined;
  const sorted = numbers.toSorted((a, b) => a - b);
  const middle = Math.floor(sorted.length / 2);
  const median = sorted.length % 2 === 1 ? sorted[middle] : (sorted[middle - 1] + sorted[middle]) / 2;
  return { median, min: sorted[0], max: sorted.at(-1) };
}

/**
 * One row for each scenario, metric and target.
 *
 * The ratio is taken round by round, to the floor of the same round: what slowed the machine down in one round then slowed
 * both. A target that was not measured in a round in which the floor was, or the other way round, has no ratio for it.
 *
 * @param cells of one run: `{ scenario, target, round, values, lost, ownBusiest, targetBusy }`
 * @param scenarios as in scenarios.mjs
 */
export function rowsOf(cells, scenarios) {
  const rows = [];
  for (const scenario of scenarios) {
    const measured = cells.filter((cell) => cell.scenario === scenario.name);
    const targets = [...new Set(measured.map((cell) => cell.target))];
    for (const [metric, definition] of Object.entries(scenario.metrics)) {
      for (const target of targets) {
        const mine = measured.filter((cell) => cell.target === target && cell.values?.[metric] !== undefined);
        if (mine.length === 0) continue;
        const ratios = mine.flatMap((cell) => {
          const floor = measured.find((other) => other.target === 'floor' && other.round === cell.round);
          const base = floor?.values?.[metric];
          return base > 0 ? [cell.values[metric] / base] : [];
        });
        const goal = definition.goal?.[scenario.transport];
        const value = summarize(mine.map((cell) => cell.values[metric]));
        const ratio = summarize(ratios);
        rows.push({
          scenario: scenario.name,
          transport: scenario.transport,
          metric,
          target,
          rounds: mine.length,
          value,
          ratio,
          goal,
          met: goal === undefined ? undefined : isMet(definition, value, ratio, goal),
          lost: mine.reduce((sum, cell) => sum + cell.lost, 0),
          ownBusiest: Math.max(...mine.map((cell) => cell.ownBusiest)),
          targetBusy: summarize(mine.map((cell) => cell.targetBusy)).median,
        });
      }
    }
  }
  return rows;
}

/** A goal is for the ratio to the floor, or, where the metric says so, for the value itself; `atLeast` turns it round. */
function isMet({ absolute, atLeast }, value, ratio, goal) {
  const found = absolute ? value : ratio;
  if (!found) return undefined;
  // As it is printed.
  const rounded = Number(found.median.toFixed(2));
  return atLeast ? rounded >= goal : rounded <= goal;
}
