export { Counts } from './counts.js';
export { XmppHealth, type XmppClusterHealth, type XmppHealthDetails, type XmppHealthReport } from './health.js';
export { XmppHealthIndicator, type XmppHealthResult } from './health-indicator.js';
export { Journal, oneLine } from './journal.js';
export { XmppMetrics } from './metrics.js';
export { Spans } from './spans.js';
export { MASK, redact } from './redaction.js';
export { XmppTrace, type XmppTraceHandle, type XmppTraceInfo, type XmppTraceLine, type XmppTraceOptions, type XmppTraceSink } from './trace.js';
