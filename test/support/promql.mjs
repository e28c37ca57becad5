/**
 * As much of PromQL as our dashboard needs, over scrapes that a test or a tool has made: selectors with matchers of any
 * kind, rate(), sum, min and max with or without by, histogram_quantile(), and division.
 *
 * @typedef {{ labels: Record<string, string>, value: number }} Sample
 * @typedef {{ at: number, samples: Map<string, Sample[]> }} Scrape `at` in seconds
 */

/**
 * Reads the text format of Prometheus.
 * @param {string} text
 * @returns {Map<string, Sample[]>} by metric
 */
export function parseMetrics(text, labels = {}) {
  const found = new Map();
  for (const line of text.split('\n')) {
    const [, name, inside = '', value] = /^([a-zA-Z_:][\w:]*)(?:\{(.*)\})? (\S+)$/.exec(line) ?? [];
    if (name === undefined) continue;
    const own = Object.fromEntries([...inside.matchAll(/(\w+)="((?:[^"\\]|\\.)*)"/g)].map(([, label, text]) => [label, text]));
    if (!found.has(name)) found.set(name, []);
    found.get(name).push({ labels: { ...labels, ...own }, value: Number(value.replace('+Inf', 'Infinity')) });
  }
  return found;
}

/**
 * @param {string} expression
 * @param {readonly Scrape[]} scrapes ascending; the last is now
 * @param {number} window seconds that `$__rate_interval` stands for
 * @returns {Sample[]}
 * @throws {SyntaxError} for what it does not know
 */
export function evaluate(expression, scrapes, window) {
  return new Evaluation(expression, scrapes, window).all();
}

/**
 * The metrics that an expression names.
 * @param {string} expression
 * @returns {string[]}
 */
export function metricsOf(expression) {
  return [...expression.matchAll(/([a-zA-Z_:][\w:]*)\{/g)].map(([, name]) => name);
}

const OPERATORS = { sum: (values) => values.reduce((a, b) => a + b, 0), min: (values) => Math.min(...values), max: (values) => Math.max(...values) };

class Evaluation {
  constructor(text, scrapes, window) {
    this.tokens = text.match(/\$?[a-zA-Z_:][\w:]*|\d+(?:\.\d+)?|"[^"]*"|=~|!~|!=|[={}()[\],/]/g) ?? [];
    this.at = 0;
    this.scrapes = scrapes;
    this.window = window;
  }

  all() {
    const result = this.expression();
    if (this.at < this.tokens.length) throw new SyntaxError(`not understood: ${this.tokens.slice(this.at).join(' ')}`);
    return result;
  }

  take(expected) {
    const token = this.tokens[this.at++];
    if (expected !== undefined && token !== expected) throw new SyntaxError(`${expected} expected, not ${token}`);
    return token;
  }

  next(token) {
    if (this.tokens[this.at] !== token) return false;
    this.at++;
    return true;
  }

  expression() {
    const left = this.operand();
    if (!this.next('/')) return left;
    const right = this.operand();
    return left.flatMap(({ labels, value }) => {
      const other = right.find((sample) => keyOf(sample.labels) === keyOf(labels));
      return other ? [{ labels, value: value / other.value }] : [];
    });
  }

  operand() {
    const name = this.take();
    if (OPERATORS[name]) return this.aggregation(OPERATORS[name]);
    if (name === 'rate') return this.rate();
    if (name === 'histogram_quantile') return this.quantile();
    const matches = this.matchers();
    return (this.scrapes.at(-1)?.samples.get(name) ?? []).filter(({ labels }) => matches(labels));
  }

  aggregation(combine) {
    const by = [];
    if (this.next('by')) {
      this.take('(');
      do by.push(this.take());
      while (this.next(','));
      this.take(')');
    }
    this.take('(');
    const inside = this.expression();
    this.take(')');
    const groups = new Map();
    for (const { labels, value } of inside) {
      const kept = Object.fromEntries(by.flatMap((label) => (labels[label] === undefined ? [] : [[label, labels[label]]])));
      const key = keyOf(kept);
      if (!groups.has(key)) groups.set(key, { labels: kept, values: [] });
      groups.get(key).values.push(value);
    }
    return [...groups.values()].map(({ labels, values }) => ({ labels, value: combine(values) }));
  }

  rate() {
    this.take('(');
    const name = this.take();
    const matches = this.matchers();
    this.take('[');
    this.take('$__rate_interval');
    this.take(']');
    this.take(')');
    const now = this.scrapes.at(-1);
    const since = this.scrapes.find(({ at }) => at >= now.at - this.window);
    if (!since || since === now) return [];
    const before = new Map((since.samples.get(name) ?? []).map(({ labels, value }) => [keyOf(labels), value]));
    return (now.samples.get(name) ?? [])
      .filter(({ labels }) => matches(labels))
      .map(({ labels, value }) => ({ labels, value: Math.max(0, value - (before.get(keyOf(labels)) ?? 0)) / (now.at - since.at) }));
  }

  quantile() {
    this.take('(');
    const wanted = Number(this.take());
    this.take(',');
    const buckets = this.expression().map(({ labels, value }) => ({ bound: Number(labels.le.replace('+Inf', 'Infinity')), value }));
    this.take(')');
    buckets.sort((a, b) => a.bound - b.bound);
    const total = buckets.at(-1)?.value ?? 0;
    if (total === 0) return [];
    const i = buckets.findIndex(({ value }) => value >= wanted * total);
    const [low, high] = [buckets[i - 1] ?? { bound: 0, value: 0 }, buckets[i]];
    if (high.bound === Infinity) return [{ labels: {}, value: low.bound }];
    const part = (wanted * total - low.value) / (high.value - low.value);
    return [{ labels: {}, value: low.bound + (high.bound - low.bound) * part }];
  }

  /** Variables of the dashboard stand for all. */
  matchers() {
    const all = [];
    if (this.next('{')) {
      while (!this.next('}')) {
        const [label, operator, quoted] = [this.take(), this.take(), this.take()];
        const text = quoted.slice(1, -1).replace(/\$\w+/g, '.*');
        const pattern = new RegExp(`^(?:${operator.endsWith('~') ? text : text.replace(/[.*+?^${}()|[\]\\]/g, '\\$&')})$`);
        all.push((labels) => pattern.test(labels[label] ?? '') === operator.startsWith('='));
        this.next(',');
      }
    }
    return (labels) => all.every((match) => match(labels));
  }
}

function keyOf(labels) {
  return JSON.stringify(Object.entries(labels).sort());
}
