import { jest } from '@jest/globals';
import { describeClients, everywhere } from './clients.js';
import { stanza } from './drivers/stanza.js';
import { strophe } from './drivers/strophe.js';
import { xmppjs } from './drivers/xmppjs.js';

jest.setTimeout(120_000);

describeClients('Prosody behind STARTTLS', [strophe, stanza, xmppjs].flatMap(everywhere));
