import { jest } from '@jest/globals';
import { IN_NODE } from './cast.js';
import { describeClients } from './clients.js';

jest.setTimeout(120_000);

describeClients('Prosody behind STARTTLS', IN_NODE);
