/** Types of the report for its tests. */

export interface Metric {
  readonly title: string;
  readonly unit: string;
  readonly per?: string;
  readonly digits?: number;
  /** The goal is for the value itself and not for its ratio to the floor. */
  readonly absolute?: boolean;
  readonly atLeast?: boolean;
  readonly goal?: Readonly<Record<string, number>>;
}

export interface Scenario {
  readonly name: string;
  readonly family: string;
  readonly about: string;
  readonly transport: string;
  readonly metrics: Readonly<Record<string, Metric>>;
}

export interface Measurement {
  readonly scenario: string;
  readonly target: string;
  readonly round: number | string;
  readonly values?: Readonly<Record<string, number>>;
  readonly error?: string;
  readonly lost: number;
  readonly ownBusiest: number;
  readonly targetBusy: number;
  /** Of a profile: microseconds for each message, by part. */
  readonly parts?: readonly number[];
}

export interface Run {
  readonly started: string;
  readonly machine: { readonly cpu: string; readonly cores: number; readonly kernel: string; readonly node: string; readonly load: number };
  readonly rounds: number;
  readonly seconds: number;
  readonly targets: readonly { readonly name: string; readonly title: string; readonly about: string; readonly foreign?: boolean }[];
  readonly missing: readonly { readonly target: string; readonly why: string }[];
  readonly cells: readonly Measurement[];
}

export interface Summary {
  readonly median: number;
  readonly min: number;
  readonly max: number;
}

export interface Row {
  readonly scenario: string;
  readonly transport: string;
  readonly metric: string;
  readonly target: string;
  readonly rounds: number;
  readonly value: Summary;
  readonly ratio: Summary | undefined;
  readonly goal: number | undefined;
  readonly met: boolean | undefined;
  readonly lost: number;
  readonly ownBusiest: number;
  readonly targetBusy: number;
}

export interface CpuProfile {
  readonly nodes: readonly { readonly id: number; readonly callFrame: { readonly functionName: string; readonly url: string; readonly lineNumber: number } }[];
  readonly samples: readonly number[];
  readonly timeDeltas: readonly number[];
}

export declare function readResults(folder: string): { readonly files: readonly string[]; readonly runs: readonly Run[]; readonly profiles: Run };
export declare function summarize(numbers: readonly number[]): Summary | undefined;
export declare function rowsOf(cells: readonly Measurement[], scenarios: readonly Scenario[]): Row[];
export declare function align(lines: readonly (readonly string[])[]): string;
export declare function formatRange(summary: Summary, digits: number, rounds: number): string;
export declare function markdownTable(lines: readonly (readonly string[])[]): string;
export declare function consoleTable(rows: readonly Row[], scenarios: readonly Scenario[], options: { readonly judges: boolean }): string;
export declare function sections(runs: readonly Run[], scenarios: readonly Scenario[], profiles?: Pick<Run, 'cells'>): Record<string, string>;
export declare function fill(page: string, contents: Readonly<Record<string, string>>): string;
export declare function plot(runs: readonly Run[], scenarios: readonly Scenario[]): string;
export declare function selfTimes(profile: CpuProfile): { total: number; list: { name: string; ms: number }[] };
export declare const PART_NAMES: readonly string[];
export declare function partsOf(profile: CpuProfile, count: number): number[];
export declare function topOf(file: string, count?: number): string;
