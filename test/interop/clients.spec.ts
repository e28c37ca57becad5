import { jest } from '@jest/globals';
import { PLATFORMS } from '../support/app.js';
import { type Prosody, startProsody } from '../support/prosody.js';
import { type Sample, type SampleEnvironment, startSample } from '../support/sample.js';
import type { Driver, Transport } from './drivers/driver.js';
import { stanza } from './drivers/stanza.js';
import { strophe } from './drivers/strophe.js';
import { xmppjs } from './drivers/xmppjs.js';
import { type Endpoint, logIn, type Seat, tellStory } from './story.js';

jest.setTimeout(60_000);

const DOMAIN = 'localhost';
const DRIVERS: readonly Driver[] = [strophe, stanza, xmppjs];

const seat = (driver: Driver, transport: Transport): Seat => ({ driver, transport });
const describeSeat = ({ driver, transport }: Seat): string => `${driver.name} over ${transport === 'bosh' ? 'BOSH' : 'WebSocket'}`;

/** Every client over every transport that it has, and every transport with the other. */
const PAIRS: readonly (readonly [Seat, Seat])[] = [
  ...DRIVERS.flatMap((driver) => driver.transports.map((transport) => [seat(driver, transport), seat(driver, transport)] as const)),
  [seat(strophe, 'bosh'), seat(xmppjs, 'websocket')],
  [seat(stanza, 'websocket'), seat(stanza, 'bosh')],
];
const TABLE = PAIRS.map(([first, second]) => [describeSeat(first), describeSeat(second), first, second] as const);
/** One client for each transport, where the matter is the server's side. */
const PROBES = [seat(stanza, 'websocket'), seat(stanza, 'bosh')].map((probe) => [describeSeat(probe), probe] as const);

/** Starts the sample, hands it over, and stops it, whatever happens. */
async function withSample<T>(environment: SampleEnvironment, act: (sample: Sample, endpoint: Endpoint) => Promise<T>): Promise<T> {
  const sample = await startSample(environment);
  try {
    return await act(sample, { wsUrl: sample.wsUrl, boshUrl: sample.boshUrl, domain: DOMAIN });
  } finally {
    await sample.stop();
  }
}

let prosody: Prosody;

beforeAll(async () => {
  prosody = await startProsody({ domain: DOMAIN });
});

afterAll(async () => {
  await Promise.all(DRIVERS.map(async (driver) => await driver.close?.()));
  await prosody?.stop();
});

interface Server {
  readonly name: string;
  /** What the sample is told of it; asked for when the servers run. */
  environment(): SampleEnvironment;
}

const SERVERS: readonly Server[] = [
  { name: 'the embedded server', environment: () => ({}) },
  {
    name: 'Prosody behind STARTTLS',
    environment: () => ({
      XMPP_UPSTREAM: `xmpp://127.0.0.1:${prosody.port}?starttls=required`,
      NODE_EXTRA_CA_CERTS: prosody.caFile,
    }),
  },
];

describe.each(PLATFORMS)('on %s', (platform) => {
  describe.each(SERVERS)('with $name', ({ environment }) => {
    let sample: Sample;

    beforeAll(async () => {
      sample = await startSample({ HTTP_PLATFORM: platform, XMPP_DOMAINS: DOMAIN, ...environment() });
    });

    afterAll(async () => {
      await sample?.stop();
    });

    it.each(TABLE)('U3: %s and %s log in, meet, talk and log out', async (_first, _second, first, second) => {
      await tellStory({ wsUrl: sample.wsUrl, boshUrl: sample.boshUrl, domain: DOMAIN }, first, second);
    });

    it.each(PROBES)('U3: a wrong password is refused over %s, and reaches no log', async (_name, probe) => {
      const endpoint = { wsUrl: sample.wsUrl, boshUrl: sample.boshUrl, domain: DOMAIN };
      await expect(logIn(endpoint, probe, 'alice', 'not-her-password')).rejects.toThrow();
      expect(sample.output).not.toContain('not-her-password');
    });
  });
});

describe('TLS towards the server', () => {
  it('U1: xmpps:// speaks TLS from the first byte', async () => {
    const environment = { XMPP_UPSTREAM: `xmpps://127.0.0.1:${prosody.directTlsPort}`, NODE_EXTRA_CA_CERTS: prosody.caFile };
    await withSample(environment, async (_sample, endpoint) => {
      await tellStory(endpoint, seat(stanza, 'websocket'), seat(stanza, 'bosh'));
    });
  });

  it.each(PROBES)('U2: an authority that nobody trusts ends the login over %s, and the log says why', async (_name, probe) => {
    const environment = { XMPP_UPSTREAM: `xmpp://127.0.0.1:${prosody.port}?starttls=required` };
    await withSample(environment, async (sample, endpoint) => {
      await expect(logIn(endpoint, probe, 'alice')).rejects.toThrow();
      expect(sample.output).toMatch(/certificate/i);
    });
  });

  it('U2: a certificate made out to another name ends the login, and the log says why', async () => {
    const other = await startProsody({ domain: DOMAIN, certificateNames: ['another.example'] });
    try {
      const environment = { XMPP_UPSTREAM: `xmpp://127.0.0.1:${other.port}?starttls=required`, NODE_EXTRA_CA_CERTS: other.caFile };
      await withSample(environment, async (sample, endpoint) => {
        await expect(logIn(endpoint, seat(stanza, 'websocket'), 'alice')).rejects.toThrow();
        expect(sample.output).toMatch(/certificate/i);
        expect(other.log()).not.toContain('Authenticated');
      });
    } finally {
      await other.stop();
    }
  });

  it('U2: verify=false lets the same certificate pass, with a warning in the log', async () => {
    const environment = { XMPP_UPSTREAM: `xmpp://127.0.0.1:${prosody.port}?starttls=required&verify=false` };
    await withSample(environment, async (sample, endpoint) => {
      await tellStory(endpoint, seat(stanza, 'websocket'), seat(stanza, 'websocket'));
      expect(sample.output).toMatch(/WARN.*verif/i);
    });
  });
});
