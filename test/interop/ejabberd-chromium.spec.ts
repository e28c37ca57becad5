import { jest } from '@jest/globals';
import { IN_CHROMIUM } from './cast.js';
import { describeClients } from './clients.js';

jest.setTimeout(120_000);

describeClients('ejabberd behind STARTTLS', IN_CHROMIUM);
