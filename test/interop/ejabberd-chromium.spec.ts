import { jest } from '@jest/globals';
import { describeClients, everywhere, sparingly } from './clients.js';
import { converse } from './drivers/converse.js';
import { stropheInChromium } from './drivers/strophe-chromium.js';

jest.setTimeout(120_000);

describeClients('ejabberd behind STARTTLS', [...everywhere(stropheInChromium), ...sparingly(converse)]);
