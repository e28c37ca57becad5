import { jest } from '@jest/globals';
import { IN_NODE } from './cast.js';
import { describeClusterClients } from './cluster-clients.js';

jest.setTimeout(120_000);

describeClusterClients(IN_NODE);
