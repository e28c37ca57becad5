import type { Buckets } from './buckets.js';

/** One value of a metric. */
export interface Sample {
  readonly labels?: Readonly<Record<string, string>>;
  value: number;
  /** Where it is not the metric's own: of the parts of a histogram. */
  readonly metricName?: string;
}

/**
 * A metric with all its labels, as a registry of prom-client takes it: its values are read when they are
 * asked for, so that counting needs nothing of that package.
 */
export class Family {
  readonly aggregator = 'sum';

  constructor(
    readonly name: string,
    readonly help: string,
    readonly type: 'counter' | 'gauge' | 'histogram',
    private readonly read: () => Sample[],
  ) {}

  async get(): Promise<Pick<Family, 'name' | 'help' | 'type' | 'aggregator'> & { values: Sample[] }> {
    const { name, help, type, aggregator } = this;
    return { name, help, type, aggregator, values: this.read().map(({ labels = {}, ...sample }) => ({ ...sample, labels })) };
  }

  /** Of a registry whose metrics are all set to nothing: ours say what is. */
  reset(): void {}
}

export function counter(name: string, help: string, read: () => Sample[]): Family {
  return new Family(name, help, 'counter', read);
}

export function gauge(name: string, help: string, read: () => Sample[]): Family {
  return new Family(name, help, 'gauge', read);
}

export function histogram(name: string, help: string, buckets: Buckets): Family {
  return new Family(name, help, 'histogram', () => {
    const { bounds, counts, sum } = buckets;
    let total = 0;
    const samples = counts.map((count, i) => ({
      metricName: `${name}_bucket`,
      labels: { le: i < bounds.length ? String(bounds[i]) : '+Inf' },
      value: (total += count),
    }));
    return [...samples, { metricName: `${name}_sum`, value: sum }, { metricName: `${name}_count`, value: total }];
  });
}
