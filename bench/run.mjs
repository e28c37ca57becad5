/**
 * The benchmark: `npm run bench -- --help`.
 *
 * Each target gets each scenario in turn (A B C A B C), in processes of its own. What is measured is pinned to one core, and
 * what measures it runs on the others. Ends with 1 when the floor or ours lost a message or could not be measured.
 */
import { mkdirSync, writeFileSync } from 'node:fs';
import { dirname } from 'node:path';
import process from 'node:process';
import { parseArgs } from 'node:util';
import { Cell, PROFILES } from './cell.mjs';
import { killAll } from './child.mjs';
import { describeMachine, splitCores } from './machine.mjs';
import { buildNative } from './native.mjs';
import { topOf } from './report/profile.mjs';
import { rowsOf } from './report/statistics.mjs';
import { consoleTable } from './report/table.mjs';
import { checkThatLossIsSeen } from './selfcheck.mjs';
import { SCENARIOS } from './scenarios.mjs';
import { TARGETS } from './targets/index.mjs';

const HELP = `npm run bench -- [options]

  --quick            a short run of everything: does it work, is nothing lost; its figures mean little
  --only a,b         scenarios by name, or by the start of it: flood, flood-ws, chatter-bosh ...
  --targets a,b      ${TARGETS.map(({ name }) => name).join(', ')}; the floor is always among them
  --rounds n         how often each target gets each scenario (3; 1 with --quick and --prof)
  --scale x          factor for the length of every measurement (1; 0.15 with --quick)
  --core n           the core that what is measured is pinned to (the last)
  --prof             CPU profiles of the floor and ours for each scenario, in ${PROFILES.replace(`${process.cwd()}/`, '')}, and their top lists
  --json file        the results
  --list             the scenarios and what they do
`;

const { values: options } = parseArgs({
  options: {
    quick: { type: 'boolean', default: false },
    only: { type: 'string' },
    targets: { type: 'string' },
    rounds: { type: 'string' },
    scale: { type: 'string' },
    core: { type: 'string' },
    prof: { type: 'boolean', default: false },
    json: { type: 'string' },
    list: { type: 'boolean', default: false },
    help: { type: 'boolean', default: false },
  },
});

if (options.help) {
  process.stdout.write(HELP);
  process.exit(0);
}
if (options.list) {
  for (const { name, about } of SCENARIOS) console.log(`${name.padEnd(14)} ${about}`);
  process.exit(0);
}
for (const signal of ['SIGINT', 'SIGTERM']) {
  process.once(signal, () => {
    killAll();
    process.exit(130);
  });
}

/** Those of a list that the user named, by their beginnings; names nothing fits are an error. */
function choose(list, named, what) {
  if (named === undefined) return list;
  const wanted = named.split(',').map((name) => name.trim());
  for (const name of wanted) {
    if (!list.some((entry) => fits(entry, name))) {
      throw new Error(`no ${what} ${name}; there are ${list.map((entry) => entry.name).join(', ')}`);
    }
  }
  return list.filter((entry) => wanted.some((name) => fits(entry, name)));
}

function fits({ name, family }, wanted) {
  return name === wanted || family === wanted || (family !== undefined && name.startsWith(wanted));
}

function number(name, otherwise) {
  const text = options[name];
  if (text === undefined) return otherwise;
  const value = Number(text);
  if (!(value >= 0)) throw new Error(`--${name} is ${text}; allowed: a number`);
  return value;
}

async function present(targets) {
  const found = [];
  const missing = [];
  for (const target of targets) {
    const why = await target.missing?.();
    if (why === undefined) found.push(target);
    else {
      console.log(`${target.name}: not measured, ${why}`);
      missing.push({ target: target.name, why });
    }
  }
  return { found, missing };
}

async function measureCell(context, scenario, target, round) {
  const cell = new Cell(context, scenario, target);
  const result = { scenario: scenario.name, target: target.name, round };
  const started = performance.now();
  try {
    await cell.start();
    result.values = await scenario.run(cell);
  } catch (error) {
    result.error = error.message;
  } finally {
    await cell.stop();
  }
  Object.assign(result, { lost: cell.lost, ownBusiest: cell.ownBusiest, targetBusy: cell.targetBusy, parts: cell.parts, seconds: (performance.now() - started) / 1000 });
  return { result, profiles: cell.profiles ?? [] };
}

function progressLine(done, all, { target, round, values, error, lost, ownBusiest, targetBusy, seconds }, scenario) {
  const percent = (share) => `${Math.round(share * 100)} %`;
  const figures = Object.entries(values ?? {}).flatMap(([metric, value]) => {
    const { digits = 2, unit, per } = scenario.metrics[metric] ?? {};
    return unit === undefined || value === undefined ? [] : [`${metric} ${value.toFixed(digits)} ${unit}${per ? ` per ${per}` : ''}`];
  });
  const what = error ? `FAILED: ${error}` : figures.join(', ');
  const busy = `core ${percent(targetBusy)}, load ${percent(ownBusiest)}`;
  const place = `[${done}/${all}] ${scenario.name.padEnd(13)} ${target.padEnd(15)} round ${round}`;
  return `${place}  ${what}  (${busy}, LOST ${lost}, ${seconds.toFixed(1)} s)`;
}

/** What is not the same work, or differs in nothing that matters, is measured less. */
function belongs(scenario, target, round) {
  if (scenario.targets && !scenario.targets.includes(target.name)) return false;
  if (target.families && !target.families.includes(scenario.family)) return false;
  return round <= (target.mostRounds ?? round);
}

/** JSON, one measurement a line, in four digits. */
function serialize(run, cells) {
  const short = (_key, value) => (typeof value === 'number' ? Number(value.toPrecision(4)) : value);
  const lines = cells.map((cell) => `  ${JSON.stringify(cell, short)}`);
  return `${JSON.stringify(run, undefined, 1).slice(0, -2)},\n "cells": [\n${lines.join(',\n')}\n ]\n}\n`;
}

async function main() {
  const started = new Date().toISOString().replace(/\.\d+Z$/, 'Z');
  const scenarios = choose(SCENARIOS, options.only, 'scenario');
  const named = options.targets === undefined ? TARGETS : choose(TARGETS, `floor,${options.targets}`, 'target');
  const { found, missing } = await present(options.quick && options.targets === undefined ? named.filter(({ inQuick }) => inQuick) : named);
  const context = {
    started: started.replaceAll(':', '-'),
    quick: options.quick,
    profile: options.prof,
    scale: number('scale', options.quick ? 0.15 : 1),
    cores: splitCores(options.core === undefined ? undefined : number('core')),
    programs: buildNative(),
    say: (text) => console.log(text),
  };
  const rounds = number('rounds', options.quick || options.prof ? 1 : 3);
  const machine = describeMachine();
  console.log(`${machine.cpu}, ${machine.cores} cores, Node ${machine.node}, load ${machine.load}`);
  console.log(
    context.cores
      ? `measured on core ${context.cores.measured}, the load and the server on ${context.cores.others}`
      : 'nothing is pinned: there are no two cores, or no taskset; take no figure seriously',
  );
  for (const { name, about } of found) console.log(`${name}: ${about}`);
  if (options.only === undefined) await checkThatLossIsSeen(context, found[0]);

  if (options.json !== undefined) mkdirSync(dirname(options.json), { recursive: true });
  const plan = [];
  for (const scenario of scenarios) {
    for (let round = 1; round <= Math.min(rounds, scenario.mostRounds ?? rounds); round++) {
      for (const target of found) {
        if (belongs(scenario, target, round)) plan.push({ scenario, target, round });
      }
    }
  }
  const cells = [];
  const targets = found.map(({ name, title, about, foreign = false }) => ({ name, title, about, foreign }));
  const run = { started, quick: options.quick, machine, cores: context.cores, rounds, scale: context.scale, targets, missing };
  for (const { scenario, target, round } of plan) {
    const { result, profiles } = await measureCell(context, scenario, target, round);
    cells.push(result);
    console.log(progressLine(cells.length, plan.length, result, scenario));
    // After each, so that a run that is cut short leaves what it has.
    if (options.json !== undefined) writeFileSync(options.json, serialize({ ...run, seconds: Math.round(performance.now() / 1000) }, cells));
    for (const file of profiles) console.log(topOf(file));
  }

  const rows = rowsOf(cells, scenarios);
  console.log(`\n${consoleTable(rows, SCENARIOS, { judges: !options.quick })}`);
  const own = cells.filter(({ target }) => !found.some(({ name, foreign }) => name === target && foreign));
  const lost = own.reduce((sum, cell) => sum + cell.lost, 0);
  const failed = own.filter(({ error }) => error !== undefined);
  for (const { scenario, target, round, error } of cells.filter((cell) => cell.error)) console.log(`FAILED ${scenario} ${target} round ${round}: ${error}`);
  for (const { scenario, target, round, lost: n } of cells.filter((cell) => cell.lost > 0)) console.log(`LOST ${n} ${scenario} ${target} round ${round}`);
  console.log(`LOST ${lost}`);
  if (options.json !== undefined) console.log(`written to ${options.json}`);
  process.exitCode = lost > 0 || failed.length > 0 ? 1 : 0;
}

try {
  await main();
} catch (error) {
  console.error(`bench: ${error.message}`);
  process.exitCode = 1;
}
