import { floor } from './floors.mjs';
import { nodeXmppBosh } from './node-xmpp-bosh.mjs';
import { express, fastify } from './ours.mjs';
import { ejabberd, prosody } from './servers.mjs';

/**
 * Everything that can be measured, the floor first.
 *
 * A target has a `name`; a `title` and a sentence `about` it; `start()`, which gives the process, its port and how the load is
 * to speak to it; and, as it may be, `missing()`, which installs what is needed or says why that is not possible. What goes
 * wrong with a `foreign` one is told, and does not fail the run.
 */
export const TARGETS = [floor, express, fastify, nodeXmppBosh, prosody, ejabberd];
