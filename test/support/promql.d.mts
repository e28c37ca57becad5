export interface Sample {
  readonly labels: Record<string, string>;
  readonly value: number;
}

export interface Scrape {
  /** Seconds. */
  readonly at: number;
  readonly samples: Map<string, Sample[]>;
}

export function parseMetrics(text: string, labels?: Record<string, string>): Map<string, Sample[]>;
export function evaluate(expression: string, scrapes: readonly Scrape[], window: number): Sample[];
export function metricsOf(expression: string): string[];
