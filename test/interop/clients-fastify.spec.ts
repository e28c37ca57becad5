import { jest } from '@jest/globals';
import { describeClients } from './clients.js';

jest.setTimeout(60_000);

describeClients('fastify');
