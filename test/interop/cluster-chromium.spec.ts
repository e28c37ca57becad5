import { jest } from '@jest/globals';
import { IN_CHROMIUM } from './cast.js';
import { describeClusterClients } from './cluster-clients.js';

jest.setTimeout(180_000);

describeClusterClients(IN_CHROMIUM);
