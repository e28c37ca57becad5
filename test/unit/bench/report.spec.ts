import { SaxesParser } from 'saxes';
import {
  align,
  consoleTable,
  fill,
  formatRange,
  markdownTable,
  plot,
  rowsOf,
  PART_NAMES,
  partsOf,
  sections,
  selfTimes,
  summarize,
  type Measurement,
  type Run,
  type Scenario,
} from '../../../bench/report/index.mjs';

const SCENARIOS: readonly Scenario[] = [
  {
    name: 'flood-ws',
    family: 'flood',
    about: 'many messages',
    transport: 'ws',
    metrics: { cpu: { title: 'flood', unit: 's', per: '100k messages', digits: 2, goal: { ws: 0.5 } }, p50: { title: 'latency', unit: 'µs', digits: 0 } },
  },
  {
    name: 'slow-ws',
    family: 'slow',
    about: 'a slow reader',
    transport: 'ws',
    metrics: {
      growth: { title: 'growth', unit: 'MB', digits: 1, absolute: true, goal: { ws: 12 } },
      others: { title: 'the others', unit: 'of the rate', absolute: true, atLeast: true, goal: { ws: 0.9 } },
    },
  },
];

function cell(scenario: string, target: string, round: number, values: Record<string, number>, more: Partial<Measurement> = {}): Measurement {
  return { scenario, target, round, values, lost: 0, ownBusiest: 0.2, targetBusy: 1, ...more };
}

const CELLS = [
  cell('flood-ws', 'floor', 1, { cpu: 1, p50: 100 }),
  cell('flood-ws', 'ours', 1, { cpu: 0.4, p50: 110 }),
  cell('flood-ws', 'floor', 2, { cpu: 2, p50: 300 }, { ownBusiest: 0.5 }),
  cell('flood-ws', 'ours', 2, { cpu: 0.6, p50: 270 }),
  cell('flood-ws', 'floor', 3, { cpu: 1.2, p50: 90 }),
  cell('flood-ws', 'ours', 3, { cpu: 0.6, p50: 99 }, { lost: 2 }),
  cell('slow-ws', 'ours', 1, { growth: 12.004, others: 0.894 }),
];

function run(cells: readonly Measurement[]): Run {
  return {
    started: '2026-01-02T03:04:05Z',
    machine: { cpu: 'Some CPU', cores: 4, kernel: '6.1', node: 'v20.19.0', load: 0.1 },
    rounds: 3,
    seconds: 600,
    targets: [
      { name: 'floor', title: 'floor', about: 'a relay' },
      { name: 'ours', title: 'nestjs-xmpp', about: 'the sample' },
    ],
    missing: [{ target: 'prosody', why: 'there is no prosody' }],
    cells,
  };
}

const rowOf = (target: string, metric: string) => rowsOf(CELLS, SCENARIOS).find((row) => row.target === target && row.metric === metric);

describe('statistics', () => {
  it('take the middle, the least and the most', () => {
    expect(summarize([3, 1, 2])).toEqual({ median: 2, min: 1, max: 3 });
    expect(summarize([4, 1, 2, 3])).toEqual({ median: 2.5, min: 1, max: 4 });
    expect(summarize([])).toBeUndefined();
  });

  it('take the ratio to the floor of the same round, so that a slow round slows both', () => {
    const row = rowOf('ours', 'cpu');
    expect(row?.ratio).toEqual({ median: 0.4, min: 0.3, max: 0.5 });
    expect(row?.value).toEqual({ median: 0.6, min: 0.4, max: 0.6 });
  });

  it('have no ratio for a round in which the floor was not measured', () => {
    const rows = rowsOf(CELLS.filter(({ target, round }) => target !== 'floor' || round === 2), SCENARIOS);
    expect(rows.find(({ target, metric }) => target === 'ours' && metric === 'cpu')?.ratio).toEqual({ median: 0.3, min: 0.3, max: 0.3 });
    expect(rowOf('ours', 'growth')?.ratio).toBeUndefined();
  });

  it('add up what was lost and show the busiest core of the load', () => {
    expect(rowOf('ours', 'cpu')?.lost).toBe(2);
    expect(rowOf('floor', 'cpu')?.ownBusiest).toBe(0.5);
  });

  it('leave out what failed', () => {
    const { values, ...failed } = cell('flood-ws', 'ours', 4, {});
    expect(values).toEqual({});
    expect(rowsOf([...CELLS, { ...failed, error: 'it broke' }], SCENARIOS)).toEqual(rowsOf(CELLS, SCENARIOS));
  });

  it.each([
    ['ours', 'cpu', true],
    ['ours', 'growth', true],
    ['ours', 'others', false],
    ['ours', 'p50', undefined],
  ])('judge %s %s as it is printed, by its ratio or by itself, as most or as least: %s', (target, metric, met) => {
    expect(rowOf(target, metric)?.met).toBe(met);
  });
});

describe('tables', () => {
  it('show the range where there were several rounds', () => {
    const summary = { median: 0.456, min: 0.4, max: 0.5 };
    expect(formatRange(summary, 2, 3)).toBe('0.46 (0.40-0.50)');
    expect(formatRange(summary, 2, 1)).toBe('0.46');
  });

  it('align numbers to the right', () => {
    expect(align([['a', 'b', 'c'], ['long', 'x', '1'], ['s', 'y', '100']])).toBe('a     b    c\nlong  x    1\ns     y  100');
  });

  it('are Markdown', () => {
    expect(markdownTable([['a', 'b'], ['1', '2']])).toBe('| a | b |\n| --- | --- |\n| 1 | 2 |');
  });

  it('hold ours against the goals, and only where the figures are good enough for it', () => {
    const rows = rowsOf(CELLS, SCENARIOS);
    const judged = consoleTable(rows, SCENARIOS, { judges: true }).split('\n');
    expect(judged.find((line) => line.startsWith('flood-ws cpu') && line.includes('ours'))).toMatch(/0\.40 \(0\.30-0\.50\)\s+<= 0\.5\s+met/);
    expect(judged.find((line) => line.startsWith('slow-ws others'))).toMatch(/>= 0\.9 of the rate\s+MISSED/);
    expect(consoleTable(rows, SCENARIOS, { judges: false })).not.toMatch(/met|MISSED/);
  });
});

describe('the page', () => {
  it('shows each goal with the ratio of each run', () => {
    const worse = CELLS.map((one) => (one.target === 'ours' && one.scenario === 'flood-ws' ? { ...one, values: { cpu: 2, p50: 1 } } : one));
    const { goals } = sections([run(CELLS), run(worse)], SCENARIOS);
    expect(goals).toContain('| flood, WebSocket | ≤ 0.5 | 0.40 (0.30-0.50) | 1.67 (1.00-2.00) | the runs differ |');
    expect(goals).toContain('| growth, WebSocket | ≤ 12 MB | 12.00 MB | 12.00 MB | met |');
    expect(goals).toContain('| the others, WebSocket | ≥ 0.9 of the rate | 0.89 of the rate | 0.89 of the rate | MISSED |');
  });

  it('names what was not measured, goals and peers', () => {
    const { goals, targets } = sections([run([])], SCENARIOS);
    expect(goals).toContain('| flood, WebSocket | ≤ 0.5 | not measured |  |');
    expect(targets).toContain('- `prosody` was not measured in run 1: there is no prosody');
  });

  it('says who failed or lost messages, instead of a figure', () => {
    const { values: _, ...failed } = cell('flood-ws', 'prosody', 1, {});
    const peers = [
      { name: 'ejabberd', title: 'ejabberd', about: 'a server', foreign: true },
      { name: 'prosody', title: 'Prosody', about: 'a server', foreign: true },
    ];
    const cells = [...CELLS, cell('flood-ws', 'ejabberd', 1, { cpu: 1 }, { lost: 3 }), { ...failed, error: 'it broke' }];
    const page = sections([{ ...run(cells), targets: [...run([]).targets, ...peers] }], SCENARIOS);
    expect(page.peers).toContain('| flood, WebSocket | 1.20 s per 100k messages | lost messages | lost messages | failed |');
  });

  it('says which run was made on a busy machine', () => {
    const busy: Run = { ...run(CELLS), machine: { ...run(CELLS).machine, load: 3 } };
    expect(sections([run(CELLS), busy], SCENARIOS).runs).toMatch(/\n\nRun 2 was made on a machine that had other work, too: its figures are rough\.$/);
    expect(sections([run(CELLS)], SCENARIOS).runs).not.toContain('rough');
  });

  it('is filled between its marks, again and again', () => {
    const page = 'before\n<!-- bench:goals -->\nold\n<!-- /bench:goals -->\nafter';
    const filled = fill(page, { goals: 'new' });
    expect(filled).toBe('before\n<!-- bench:goals -->\nnew\n<!-- /bench:goals -->\nafter');
    expect(fill(filled, { goals: 'new' })).toBe(filled);
    expect(() => fill(page, { peers: 'new' })).toThrow('the page has no place <!-- bench:peers -->');
  });
});

describe('the picture', () => {
  const svg = plot([run(CELLS)], SCENARIOS);

  it('is well-formed SVG with one dot for each target that has a ratio, and the goal', () => {
    const elements: string[] = [];
    const parser = new SaxesParser();
    parser.on('opentag', ({ name, attributes }) => elements.push(`${name} ${attributes.class ?? ''}`.trim()));
    parser.on('error', (error) => {
      throw error;
    });
    parser.write(svg).close();
    expect(elements[0]).toBe('svg');
    // The legend, and the flood.
    expect(elements.filter((element) => element === 'circle ours')).toHaveLength(2);
    expect(elements.filter((element) => element === 'line goal')).toHaveLength(1);
  });

  it('is readable on light and on dark pages', () => {
    expect(svg).toContain('@media(prefers-color-scheme:dark)');
  });
});

describe('a profile', () => {
  it('is summed up by function, idle time apart', () => {
    const frame = (functionName: string, url = '', lineNumber = 0) => ({ functionName, url, lineNumber });
    const profile = {
      nodes: [
        { id: 1, callFrame: frame('scan', 'file:///x/scanner.js', 9) },
        { id: 2, callFrame: frame('(idle)') },
        { id: 3, callFrame: frame('scan', 'file:///x/scanner.js', 9) },
        { id: 4, callFrame: frame('') },
      ],
      samples: [1, 2, 3, 4],
      timeDeltas: [2000, 5000, 1000, 1000],
    };
    const { total, list } = selfTimes(profile);
    expect(total).toBe(4);
    expect(list.map(({ name, ms }) => [name.replace(/ {2}.*\//, ' '), ms])).toEqual([
      ['(idle)', 5],
      ['scan scanner.js:10', 3],
      ['(anonymous)', 1],
    ]);
  });

  it('counts each function as one part, for each message', () => {
    const frames: [functionName: string, url: string, part: string][] = [
      ['writev', '', 'writing to sockets'],
      ['(program)', '', 'native, reading from sockets'],
      ['(garbage collector)', '', 'garbage'],
      ['emit', 'node:events', 'Node: `node:http`, streams, events, timers'],
      ['subarray', 'node:buffer', 'buffers: making, copying'],
      ['_copyActual', '', 'buffers: making, copying'],
      ['oneShotDigest', '', 'telling repeated requests'],
      ['fingerprint', 'file:///app/dist/bosh/fingerprint.js', 'telling repeated requests'],
      ['content', 'file:///app/dist/xml/scanner.js', 'XML'],
      ['wasm-function[0]', 'wasm://wasm/1', 'XML'],
      ['send', 'file:///app/node_modules/ws/lib/sender.js', 'ws'],
      ['flush', 'file:///app/dist/bosh/client.js', 'the rest: ours, or the relay'],
    ];
    const aside = [['(idle)', ''], ['dispatch', '']] as const;
    const profile = {
      nodes: [...frames, ...aside].map(([functionName, url], id) => ({ id, callFrame: { functionName, url, lineNumber: 0 } })),
      samples: [...frames, ...aside].map((_, id) => id),
      timeDeltas: [...frames, ...aside].map(() => 20),
    };
    const expected = PART_NAMES.map((name) => 2 * frames.filter(([, , part]) => part === name).length);
    expect(partsOf(profile, 10)).toEqual(expected);
    expect(expected.every((part) => part > 0)).toBe(true);
  });
});
