import type { Scenario } from './report/index.mjs';

export declare const SCENARIOS: readonly Scenario[];
