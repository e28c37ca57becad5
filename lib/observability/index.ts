export { XmppHealth, type XmppHealthReport } from './health.js';
export { XmppMetrics } from './metrics.js';
