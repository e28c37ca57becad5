/** The ratios to the floor as a picture: one line for each kind of work, one dot for each target, on a logarithmic scale. */
import { rowsOf } from './statistics.mjs';
import { pool, targetsOf } from './page.mjs';

const TRANSPORTS = { ws: 'WebSocket', bosh: 'BOSH' };
/** For light pages and for dark ones. */
const COLOURS = {
  'ours': ['#0b62d6', '#58a6ff'],
  'ours-fastify': ['#0a8a8a', '#39c5cf'],
  'node-xmpp-bosh': ['#c2570c', '#f0883e'],
  'prosody': ['#8250df', '#bc8cff'],
  'ejabberd': ['#2f7d32', '#56d364'],
};
const TICKS = [0.25, 0.5, 1, 2, 4, 8, 16, 32, 64];
const LEFT = 310;
const WIDTH = 900;
const RIGHT = WIDTH - 20;
const LINE = 24;
const TOP = 62;

function escape(text) {
  return text.replaceAll('&', '&amp;').replaceAll('<', '&lt;').replaceAll('"', '&quot;');
}

/** Ratios beyond the scale stand at its end. */
function x(ratio) {
  const [least, most] = [Math.log(TICKS[0]), Math.log(TICKS.at(-1))];
  const at = (Math.min(Math.max(Math.log(ratio), least), most) - least) / (most - least);
  return Math.round((LEFT + at * (RIGHT - LEFT)) * 10) / 10;
}

/** @returns an SVG document */
export function plot(runs, scenarios) {
  const targets = targetsOf(runs).filter(({ name }) => COLOURS[name]);
  const rows = rowsOf(pool(runs), scenarios).filter(({ ratio, goal, target }) => ratio && goal !== undefined && COLOURS[target]);
  const lines = [];
  for (const scenario of scenarios) {
    for (const [name, metric] of Object.entries(scenario.metrics)) {
      const mine = rows.filter((row) => row.scenario === scenario.name && row.metric === name);
      if (mine.length > 0 && !metric.absolute) lines.push({ text: `${metric.title}, ${TRANSPORTS[scenario.transport]}`, goal: mine[0].goal, rows: mine });
    }
  }
  const bottom = TOP + lines.length * LINE;
  const parts = [
    `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${WIDTH} ${bottom + 30}" font-family="system-ui, sans-serif" font-size="13">`,
    '<title>Cost of the same work, as a ratio to the floor (logarithmic; less is better)</title>',
    `<style>${style(targets)}</style>`,
  ];
  let at = 14;
  for (const { name, title } of targets) {
    parts.push(`<circle class="${name}" cx="${at}" cy="16" r="5"/><text x="${at + 10}" y="20">${escape(title)}</text>`);
    at += 32 + title.length * 7;
  }
  for (const tick of TICKS) {
    parts.push(`<line class="${tick === 1 ? 'floor' : 'grid'}" x1="${x(tick)}" x2="${x(tick)}" y1="${TOP - 12}" y2="${bottom}"/>`);
    parts.push(`<text class="tick" x="${x(tick)}" y="${TOP - 18}">${tick === 1 ? 'floor' : tick}</text>`);
  }
  lines.forEach(({ text, goal, rows: mine }, i) => {
    const y = TOP + i * LINE + LINE / 2;
    parts.push(`<text class="work" x="${LEFT - 14}" y="${y + 4}">${escape(text)}</text>`);
    parts.push(`<line class="goal" x1="${x(goal)}" x2="${x(goal)}" y1="${y - 9}" y2="${y + 9}"/>`);
    // The most important last, so that it is not covered.
    for (const { name, title } of targets.toReversed()) {
      const row = mine.find(({ target }) => target === name);
      if (!row) continue;
      const { median } = row.ratio;
      parts.push(`<circle class="${name}" cx="${x(median)}" cy="${y}" r="5"><title>${escape(`${title}: ${median.toFixed(2)}`)}</title></circle>`);
    }
  });
  parts.push(`<text x="${LEFT}" y="${bottom + 20}">Ratio to the floor, logarithmic; less is better. The short upright lines are the goals.</text>`, '</svg>');
  return `${parts.join('\n')}\n`;
}

function style(targets) {
  const colours = (dark) => targets.map(({ name }) => `.${name}{fill:${COLOURS[name][dark]}}`).join('');
  return (
    `text{fill:#1f2328}.work{text-anchor:end}.tick{text-anchor:middle;font-size:11px}.grid{stroke:#8883}.floor{stroke:#888}.goal{stroke:#d1242f;stroke-width:2}${colours(0)}` +
    `@media(prefers-color-scheme:dark){text{fill:#e6edf3}.goal{stroke:#ff7b72}${colours(1)}}`
  );
}
