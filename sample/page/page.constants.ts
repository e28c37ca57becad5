/** The token of the sample's SampleConfig. */
export const SAMPLE_CONFIG = Symbol('SAMPLE_CONFIG');
