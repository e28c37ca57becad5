/** The parts of docs/PERFORMANCE.md that come from results. */
import { PART_NAMES } from './profile.mjs';
import { rowsOf } from './statistics.mjs';
import { formatGoal, formatPercent, formatRange, formatValue, markdownTable, metricOf, verdict } from './table.mjs';

const TRANSPORTS = { ws: 'WebSocket', bosh: 'BOSH' };

/** A load average from which on a machine is not idle; what went before the run lingers in it. */
const BUSY = 1.5;

/** The target that the goals are for. */
const OURS = 'ours';

/** The measurements of several runs as those of one, with more rounds. */
export function pool(runs) {
  return runs.flatMap(({ cells }, run) => cells.map((cell) => ({ ...cell, round: `${run}.${cell.round}` })));
}

/** Targets of all runs, each once. */
export function targetsOf(runs) {
  return [...new Map(runs.flatMap(({ targets }) => targets.map((target) => [target.name, target]))).values()];
}

/** @returns Markdown by the name of its place in the page */
export function sections(runs, scenarios, profiles = { cells: [] }) {
  return {
    runs: runsSection(runs),
    targets: targetsSection(runs),
    scenarios: markdownTable([['what', 'how'], ...families(scenarios).map(({ family, about }) => [`\`${family}\``, about])]),
    goals: goalsSection(runs, scenarios),
    peers: peersSection(runs, scenarios),
    figures: figuresSection(runs, scenarios),
    growth: growthSection(runs, scenarios),
    parts: partsSection(profiles.cells, scenarios),
  };
}

/** Puts each section between its marks, `<!-- bench:NAME -->` and `<!-- /bench:NAME -->`. */
export function fill(page, contents) {
  let filled = page;
  for (const [name, content] of Object.entries(contents)) {
    const marks = [`<!-- bench:${name} -->`, `<!-- /bench:${name} -->`];
    const [from, to] = marks.map((mark) => filled.indexOf(mark));
    if (from < 0 || to < from) throw new Error(`the page has no place ${marks[0]} ... ${marks[1]}`);
    filled = `${filled.slice(0, from)}${marks[0]}\n${content}\n${filled.slice(to)}`;
  }
  return filled;
}

function families(scenarios) {
  return [...new Map(scenarios.map((scenario) => [scenario.family, scenario])).values()];
}

function label({ title }, transport) {
  return `${title}, ${TRANSPORTS[transport]}`;
}

function runsSection(runs) {
  const head = ['run', 'when (UTC)', 'machine', 'Node', 'load average before', 'rounds', 'took', 'lost by the floor and ours'];
  const lines = runs.map(({ started, machine, rounds, seconds, cells }, i) => [
    String(i + 1),
    started.replace('T', ' ').replace('Z', ''),
    `${machine.cpu}, ${machine.cores} cores, Linux ${machine.kernel}`,
    machine.node,
    String(machine.load),
    String(rounds),
    `${Math.round(seconds / 60)} min`,
    String(cells.filter(({ target }) => target === 'floor' || target.startsWith(OURS)).reduce((sum, { lost }) => sum + lost, 0)),
  ]);
  const busy = runs.flatMap(({ machine }, i) => (machine.load > BUSY ? [`Run ${i + 1} was made on a machine that had other work, too: its figures are rough.`] : []));
  return [markdownTable([head, ...lines]), ...busy].join('\n\n');
}

function targetsSection(runs) {
  const missing = runs.flatMap((run, i) => run.missing.map(({ target, why }) => `- \`${target}\` was not measured in run ${i + 1}: ${why}`));
  const table = markdownTable([['target', 'what it is'], ...targetsOf(runs).map(({ name, about }) => [`\`${name}\``, about])]);
  return missing.length > 0 ? `${table}\n\n${missing.join('\n')}` : table;
}

function goalsSection(runs, scenarios) {
  const perRun = runs.map(({ cells }) => rowsOf(cells, scenarios).filter(({ target, goal }) => target === OURS && goal !== undefined));
  const head = ['work', 'goal', ...runs.map((_, i) => `run ${i + 1}`), ''];
  const lines = [];
  for (const scenario of scenarios) {
    for (const [name, metric] of Object.entries(scenario.metrics)) {
      const goal = metric.goal?.[scenario.transport];
      if (goal === undefined) continue;
      const rows = perRun.map((list) => list.find((row) => row.scenario === scenario.name && row.metric === name));
      const figures = rows.map((row) => {
        const found = row && (metric.absolute ? row.value : row.ratio);
        return found ? `${formatRange(found, 2, row.rounds)}${metric.absolute && metric.unit !== 'times' ? ` ${metric.unit}` : ''}` : 'not measured';
      });
      const met = rows.map((row) => row?.met);
      const all = met.includes(undefined) ? '' : met.every((one) => one === met[0]) ? verdict(met[0]) : 'the runs differ';
      lines.push([label(metric, scenario.transport), formatGoal(goal, metric).replace('<=', '≤').replace('>=', '≥'), ...figures, all]);
    }
  }
  return markdownTable([head, ...lines]);
}

/** Ratios to the floor of all rounds of all runs. */
function peersSection(runs, scenarios) {
  const cells = pool(runs);
  const rows = rowsOf(cells, scenarios);
  const targets = targetsOf(runs).filter(({ name }) => name !== 'floor');
  const lines = [];
  for (const scenario of scenarios) {
    for (const [name, metric] of Object.entries(scenario.metrics)) {
      if (metric.goal === undefined || (metric.absolute && name !== 'growth')) continue;
      const find = (target) => rows.find((row) => row.scenario === scenario.name && row.metric === name && row.target === target);
      const floor = find('floor');
      if (!floor) continue;
      const figures = targets.map((target) => {
        const row = find(target.name);
        const mine = cells.filter((cell) => cell.scenario === scenario.name && cell.target === target.name);
        if (!row) return mine.length > 0 ? 'failed' : '';
        if (mine.some(({ lost }) => lost > 0)) return 'lost messages';
        return metric.absolute ? formatValue(row.value.median, metric) : (row.ratio?.median.toFixed(2) ?? '');
      });
      if (figures.every((figure, i) => figure === '' || targets[i].name.startsWith(OURS)) && !metric.absolute) continue;
      lines.push([label(metric, scenario.transport), formatValue(floor.value.median, metric), ...figures]);
    }
  }
  return markdownTable([['work', 'floor', ...targets.map(({ title }) => title)], ...lines]);
}

function figuresSection(runs, scenarios) {
  const rows = rowsOf(pool(runs), scenarios).filter(({ scenario }) => !scenario.startsWith('scale'));
  const head = ['work', 'target', 'median (min-max)', 'unit', 'its core', 'busiest core of the load', 'lost'];
  const lines = rows.map((row) => {
    const metric = metricOf(row, scenarios);
    const { digits = 2, unit, per } = metric;
    const busy = row.targetBusy > 0 ? [formatPercent(row.targetBusy), formatPercent(row.ownBusiest)] : ['', ''];
    return [label(metric, row.transport), row.target, formatRange(row.value, digits, row.rounds), per ? `${unit} per ${per}` : unit, ...busy, String(row.lost)];
  });
  return markdownTable([head, ...lines]);
}

/** Of the JavaScript thread, for each message: where the floor's time goes and where ours. */
function partsSection(cells, scenarios) {
  const profiled = scenarios.filter(({ name }) => cells.some(({ scenario, target, parts }) => scenario === name && target === OURS && parts));
  const find = (scenario, name) => cells.find((cell) => cell.scenario === scenario.name && cell.target === name)?.parts;
  const pair = (scenario, of) => ['floor', OURS].map((name) => find(scenario, name)).map((parts) => (parts ? shortly(of(parts)) : '')).join(' / ');
  const lines = PART_NAMES.map((name, part) => [name, ...profiled.map((scenario) => pair(scenario, (parts) => parts[part]))]);
  const all = ['all', ...profiled.map((scenario) => pair(scenario, (parts) => parts.reduce((sum, one) => sum + one, 0)))];
  return markdownTable([['µs a message, floor / ours', ...profiled.map(({ family, transport }) => `\`${family}\`, ${TRANSPORTS[transport]}`)], ...lines, all]);
}

const shortly = (value) => value.toFixed(value < 10 ? 2 : 0);

/** What a message, a login and a session cost with ever more sessions. */
function growthSection(runs, scenarios) {
  const rows = rowsOf(pool(runs), scenarios).filter(({ scenario, metric }) => scenario.startsWith('scale') && /\d/.test(metric));
  const targets = [...new Set(rows.map(({ target }) => target))];
  const kinds = [...new Set(rows.map(({ scenario, metric }) => `${scenario} ${metric}`))];
  const lines = kinds.map((kind) => {
    const [scenario, name] = kind.split(' ');
    const mine = rows.filter((row) => row.scenario === scenario && row.metric === name);
    const metric = metricOf(mine[0], scenarios);
    return [
      label(metric, mine[0].transport),
      ...targets.map((target) => {
        const row = mine.find((one) => one.target === target);
        return row ? formatValue(row.value.median, metric) : '';
      }),
    ];
  });
  return markdownTable([['what', ...targets], ...lines]);
}
