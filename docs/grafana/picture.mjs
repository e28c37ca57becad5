/**
 * Draws the picture of the dashboard, docs/images/grafana.png: the panels of nestjs-xmpp.json, with what the sample app
 * said on /metrics while clients came, chatted and went. Grafana has no part in it: layout, expressions, units and legends
 * are those of the JSON, the drawing is ours. `npm run build && npm run build:sample` first; then
 *
 *     node docs/grafana/picture.mjs [seconds, 240]
 */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { readFileSync } from 'node:fs';
import process from 'node:process';
import { setTimeout as sleep } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { chromium } from 'playwright-core';
import { WebSocket } from 'ws';
import { evaluate, parseMetrics } from '../../test/support/promql.mjs';
import { requireTool } from '../../test/support/tools.mjs';

const SECONDS = Number(process.argv[2] ?? 240);
const EVERY = 2;
const WINDOW = 20;
const DOMAIN = 'chat.example.org';
const USERS = Array.from({ length: 40 }, (_, i) => `user${i}`);
const dashboard = JSON.parse(readFileSync(new URL('nestjs-xmpp.json', import.meta.url), 'utf8'));

// The gateway, and who uses it.

const sample = spawn(process.execPath, [fileURLToPath(new URL('../../sample/dist/main.js', import.meta.url))], {
  env: {
    PATH: process.env.PATH,
    PORT: '0',
    XMPP_DOMAINS: DOMAIN,
    XMPP_USERS: USERS.map((name) => `${name}:secret`).join(','),
    XMPP_OPTIONS: JSON.stringify({ limits: { maxSessions: 60, maxSessionsPerAddress: 45 } }),
  },
});
sample.stderr.pipe(process.stderr);
const url = /http\S+/.exec(String((await once(sample.stdout, 'data'))[0]))[0];
const AUTH = (name) => `<auth xmlns='urn:ietf:params:xml:ns:xmpp-sasl' mechanism='PLAIN'>${Buffer.from(`\0${name}\0secret`).toString('base64')}</auth>`;
const BIND = `<iq xmlns='jabber:client' type='set' id='b1'><bind xmlns='urn:ietf:params:xml:ns:xmpp-bind'/></iq>`;
let over = false;

class WebSocketUser {
  async open(name) {
    this.socket = new WebSocket(`${url.replace(/^http/, 'ws')}/xmpp-websocket`, ['xmpp']);
    await once(this.socket, 'open');
    this.socket.on('error', () => {});
    await this.ask(OPEN, 'mechanisms');
    await this.ask(AUTH(name), '<success');
    await this.ask(OPEN, '<bind');
    await this.ask(BIND, '<jid>');
    this.send(`<presence xmlns='jabber:client'/>`);
  }
  async ask(xml, part) {
    const { socket } = this;
    const answer = new Promise((resolve, reject) => {
      const look = (data) => {
        if (!String(data).includes(part)) return;
        socket.off('message', look);
        resolve();
      };
      socket.on('message', look).once('close', reject);
    });
    socket.send(xml);
    await answer;
  }
  send(xml) {
    this.socket.send(xml);
  }
  close() {
    this.socket.terminate();
  }
}
const OPEN = `<open xmlns="urn:ietf:params:xml:ns:xmpp-framing" to="${DOMAIN}" version="1.0" />`;

class BoshUser {
  rid = 1 + Math.floor(Math.random() * 1e6);
  sid = '';
  constructor(key) {
    this.key = key && ` xmlns:shared='urn:xmpp:tmp:shared-bosh:0' shared:key='${key}'`;
  }
  async post(attributes, payload = '') {
    const sid = this.sid && ` sid='${this.sid}'`;
    const body = `<body xmlns='http://jabber.org/protocol/httpbind' xmlns:xmpp='urn:xmpp:xbosh' rid='${this.rid++}'${sid} ${attributes}>${payload}</body>`;
    const answer = await (await fetch(`${url}/http-bind`, { method: 'POST', headers: { 'Content-Type': 'text/xml' }, body })).text();
    this.sid ||= /sid='([^']+)'/.exec(answer)?.[1] ?? '';
    return answer;
  }
  async open(name) {
    const created = await this.post(`to='${DOMAIN}' ver='1.11' wait='20' hold='1' xmpp:version='1.0'${this.key ?? ''}`);
    if (!this.sid) throw new Error(created);
    if (!created.includes(`result='attached'`)) {
      await this.post('', AUTH(name));
      await this.post(`xmpp:restart='true' to='${DOMAIN}'`);
      await this.post('', BIND);
    }
    void this.poll();
  }
  async poll() {
    while (!this.gone && !over) if ((await this.post('').catch(() => 'terminate')).includes('terminate')) return;
  }
  send(xml) {
    void this.post('', xml).catch(() => {});
  }
  close() {
    this.gone = true;
    void this.post(`type='terminate'`).catch(() => {});
  }
}

const users = [];
const KEY = '3c1d69981b65bfbd641dcb64c82bb613';
async function come() {
  const name = USERS[Math.floor(Math.random() * USERS.length)];
  const dice = Math.random();
  const user = dice < 0.6 ? new WebSocketUser() : new BoshUser(dice > 0.85 ? KEY : undefined);
  try {
    await user.open(name);
    users.push(user);
  } catch {
    // No room: that is to be seen, too.
  }
}
async function live(started) {
  while (!over) {
    const passed = (Date.now() - started) / 1000 / SECONDS;
    const wanted = 16 + 26 * Math.sin(Math.PI * passed) + 4 * Math.sin(passed * 40);
    if (users.length < wanted) await come();
    else users.splice(Math.floor(Math.random() * users.length), 1)[0]?.close();
    const bursts = Math.round(users.length * (0.4 + 0.3 * Math.sin(passed * 30)));
    for (let i = 0; i < bursts; i++) {
      const user = users[Math.floor(Math.random() * users.length)];
      const to = USERS[Math.floor(Math.random() * USERS.length)];
      user?.send(`<message xmlns='jabber:client' type='chat' to='${to}@${DOMAIN}'><body>${'so it goes '.repeat(1 + Math.random() * 9)}</body></message>`);
    }
    await sleep(150);
  }
}

const scrapes = [];
// Whatever hangs.
setTimeout(() => process.exit(1), (SECONDS + 120) * 1000).unref();
const started = Date.now();
const living = live(started);
while (Date.now() - started < SECONDS * 1000) {
  const text = await (await fetch(`${url}/metrics`)).text();
  scrapes.push({ at: (Date.now() - started) / 1000, samples: parseMetrics(text, { job: 'xmpp', instance: 'gateway-1:5280' }) });
  await sleep(EVERY * 1000);
}
over = true;
await Promise.race([living, sleep(5000)]);
for (const user of users) user.close();
sample.kill('SIGTERM');

// The drawing.

const COLOURS = ['#7eb26d', '#eab839', '#6ed0e0', '#ef843c', '#e24d42', '#1f78c1', '#ba43a9', '#705da0'];
const UNITS = {
  short: (v) => (v >= 1000 ? `${(v / 1000).toFixed(1)} K` : v >= 10 || v === 0 ? v.toFixed(0) : v.toFixed(2)),
  percentunit: (v) => `${(v * 100).toFixed(1)}%`,
  s: (v) => (v >= 60 ? `${(v / 60).toFixed(1)} min` : v >= 1 ? `${v.toFixed(2)} s` : `${(v * 1000).toFixed(v < 0.01 ? 2 : 0)} ms`),
  bytes: (v) => (v >= 1048576 ? `${(v / 1048576).toFixed(0)} MiB` : v >= 1024 ? `${(v / 1024).toFixed(1)} KiB` : `${v.toFixed(0)} B`),
  Bps: (v) => `${UNITS.bytes(v)}/s`,
};

function seriesOf(targets) {
  const found = new Map();
  scrapes.forEach((_, i) => {
    for (const { expr, legendFormat } of targets) {
      for (const { labels, value } of evaluate(expr, scrapes.slice(0, i + 1), WINDOW)) {
        const name = legendFormat.replace(/\{\{(\w+)\}\}/g, (_match, label) => labels[label] ?? '');
        if (!found.has(name)) found.set(name, new Array(scrapes.length).fill(undefined));
        found.get(name)[i] = value;
      }
    }
  });
  return [...found].map(([name, values]) => ({ name, values }));
}

function chart({ fieldConfig, targets, gridPos }, width) {
  const { unit, custom, max: fixed } = fieldConfig.defaults;
  const stacked = custom?.stacking.mode === 'normal';
  const series = seriesOf(targets);
  const height = gridPos.h * 34 - 84;
  const below = new Array(scrapes.length).fill(0);
  const lines = series.map(({ name, values }) => {
    const points = values.map((value, i) => {
      if (value === undefined) return undefined;
      const base = stacked ? below[i] : 0;
      if (stacked) below[i] += value;
      return { base, top: base + value };
    });
    return { name, points, last: values.findLast((value) => value !== undefined) };
  });
  const most = fixed ?? Math.max(...lines.flatMap(({ points }) => points.map((point) => point?.top ?? 0)), 1e-9) * 1.1;
  const x = (i) => 62 + (i / Math.max(1, scrapes.length - 1)) * (width - 78);
  const y = (value) => 8 + height * (1 - value / most);
  const grid = [0, 0.25, 0.5, 0.75, 1].map((part) => {
    const at = y(most * part).toFixed(1);
    return `<line x1="62" x2="${width - 16}" y1="${at}" y2="${at}" class="grid"/><text x="56" y="${Number(at) + 4}" class="axis end">${UNITS[unit](most * part)}</text>`;
  });
  const ticks = [0, 0.25, 0.5, 0.75, 1].map((part) => {
    const seconds = Math.round(scrapes.at(-1).at * part);
    return `<text x="${x((scrapes.length - 1) * part).toFixed(1)}" y="${height + 24}" class="axis mid">${Math.floor(seconds / 60)}:${String(seconds % 60).padStart(2, '0')}</text>`;
  });
  const drawn = lines.map(({ points }, n) => {
    const known = points.map((point, i) => point && { ...point, i }).filter(Boolean);
    if (known.length === 0) return '';
    const top = known.map(({ i, top: value }) => `${x(i).toFixed(1)} ${y(value).toFixed(1)}`);
    const base = known.toReversed().map(({ i, base: value }) => `${x(i).toFixed(1)} ${y(value).toFixed(1)}`);
    const colour = COLOURS[n % COLOURS.length];
    return `<path d="M${[...top, ...base].join('L')}Z" fill="${colour}" opacity="${custom.fillOpacity / 100}"/><path d="M${top.join('L')}" fill="none" stroke="${colour}" stroke-width="2"/>`;
  });
  const legend = lines.map(({ name, last }, n) => `<span><i style="background:${COLOURS[n % COLOURS.length]}"></i>${name} <b>${UNITS[unit](last ?? 0)}</b></span>`);
  return `<svg width="${width}" height="${height + 30}">${grid.join('')}${ticks.join('')}${drawn.join('')}</svg><div class="legend">${legend.join('') || 'No data'}</div>`;
}

function stat({ fieldConfig, targets, gridPos }, width) {
  const { unit, thresholds, mappings, max } = fieldConfig.defaults;
  const values = seriesOf(targets)[0]?.values ?? [];
  const last = values.findLast((value) => value !== undefined);
  const step = thresholds.steps.findLast(({ value }) => value === null || (last ?? 0) >= value);
  const colour = { green: '#73bf69', orange: '#ff9830', red: '#f2495c' }[step.color];
  const height = gridPos.h * 34 - 40;
  const most = max ?? Math.max(...values.map((value) => value ?? 0), 1e-9);
  const points = values.map((value, i) => `${((i / (values.length - 1)) * width).toFixed(1)} ${(height - ((value ?? 0) / most) * height * 0.45).toFixed(1)}`);
  const words = last === undefined ? 'No data' : (mappings?.[0].options[String(last)]?.text ?? UNITS[unit](last));
  return `<svg width="${width}" height="${height}"><path d="M0 ${height}L${points.join('L')}L${width} ${height}Z" fill="${colour}" opacity="0.18"/><text x="${width / 2}" y="${height / 2 + 12}" class="stat" fill="${colour}">${words}</text></svg>`;
}

const COLUMN = 66;
const panels = dashboard.panels.map((panel) => {
  const { x, y, w, h } = panel.gridPos;
  const place = `left:${x * COLUMN + 8}px;top:${y * 34 + 56}px;width:${w * COLUMN - 8}px;height:${h * 34 - 8}px`;
  if (panel.type === 'row') return `<h2 style="${place}">⌄ ${panel.title}</h2>`;
  const inside = panel.type === 'stat' ? stat(panel, w * COLUMN - 10) : chart(panel, w * COLUMN - 10);
  return `<section style="${place}"><h3>${panel.title}</h3>${inside}</section>`;
});
const bottom = Math.max(...dashboard.panels.map(({ gridPos: { y, h } }) => y + h)) * 34 + 64;
const page = `<!doctype html><meta charset="utf-8"><style>
body{margin:0;width:${24 * COLUMN + 8}px;height:${bottom}px;position:relative;background:#111217;color:#ccccdc;font:13px Inter,system-ui,"Liberation Sans",sans-serif}
h1{font-size:18px;font-weight:500;margin:0;padding:16px}h1 small{color:#8e8e9b;font-size:13px;margin-left:12px}
h2{position:absolute;margin:0;font-size:15px;font-weight:500;line-height:34px}
section{position:absolute;background:#181b1f;border:1px solid #2c2f36;border-radius:3px;overflow:hidden;box-sizing:border-box}
h3{font-size:14px;font-weight:500;margin:0;padding:7px 10px}svg{display:block}
.grid{stroke:#2a2d34}.axis{fill:#9d9daa;font-size:11px}.end{text-anchor:end}.mid{text-anchor:middle}.stat{font-size:38px;font-weight:600;text-anchor:middle}
.legend{padding:0 10px;color:#ccccdc;font-size:12px;white-space:nowrap;overflow:hidden}.legend span{margin-right:14px}.legend b{color:#9d9daa;font-weight:400}.legend i{display:inline-block;width:14px;height:3px;margin-right:6px;vertical-align:middle}
</style><h1>${dashboard.title}<small>drawn from docs/grafana/nestjs-xmpp.json and real scrapes of the sample; not a screenshot of Grafana</small></h1>${panels.join('')}`;
const browser = await chromium.launch({ executablePath: requireTool('chromium'), args: ['--headless', '--no-sandbox', '--disable-gpu'], headless: true });
const tab = await browser.newPage({ viewport: { width: 24 * COLUMN + 8, height: bottom } });
await tab.setContent(page);
await tab.screenshot({ path: fileURLToPath(new URL('../images/grafana.png', import.meta.url)) });
await browser.close();
process.exit(0);
