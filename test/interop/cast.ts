import { type Platform, PLATFORMS } from '../support/app.js';
import { converse } from './drivers/converse.js';
import type { Driver } from './drivers/driver.js';
import { stanza } from './drivers/stanza.js';
import { stropheInChromium } from './drivers/strophe-chromium.js';
import { strophe } from './drivers/strophe.js';
import { xmppjs } from './drivers/xmppjs.js';
import type { Seat } from './story.js';

/** Where a client takes part. */
export interface Appearance extends Seat {
  readonly platform: Platform;
}

/** Over every transport that it has, on both platforms. */
function everywhere(driver: Driver): Appearance[] {
  return PLATFORMS.flatMap((platform) => driver.transports.map((transport) => ({ driver, transport, platform })));
}

/** For a client that takes its time: every transport and every platform once. */
function sparingly(driver: Driver): Appearance[] {
  return driver.transports.map((transport, index) => ({ driver, transport, platform: PLATFORMS[index % PLATFORMS.length] as Platform }));
}

/** Who tells the story with every server. */
export const IN_NODE: readonly Appearance[] = [strophe, stanza, xmppjs].flatMap(everywhere);
/** Converse draws every message. */
export const IN_CHROMIUM: readonly Appearance[] = [...everywhere(stropheInChromium), ...sparingly(converse)];
