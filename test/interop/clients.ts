import { type Prosody, startProsody } from '../support/prosody.js';
import { type Sample, type SampleEnvironment, startSample } from '../support/sample.js';
import type { Platform } from '../support/app.js';
import type { Driver, Transport } from './drivers/driver.js';
import { stanza } from './drivers/stanza.js';
import { strophe } from './drivers/strophe.js';
import { xmppjs } from './drivers/xmppjs.js';
import { logIn, type Seat, tellStory } from './story.js';

const DOMAIN = 'localhost';
const DRIVERS: readonly Driver[] = [strophe, stanza, xmppjs];

export const seat = (driver: Driver, transport: Transport): Seat => ({ driver, transport });
const describeSeat = ({ driver, transport }: Seat): string => `${driver.name} over ${transport === 'bosh' ? 'BOSH' : 'WebSocket'}`;

/** Every client over every transport that it has, and every transport with the other. */
const PAIRS: readonly (readonly [Seat, Seat])[] = [
  ...DRIVERS.flatMap((driver) => driver.transports.map((transport) => [seat(driver, transport), seat(driver, transport)] as const)),
  [seat(strophe, 'bosh'), seat(xmppjs, 'websocket')],
  [seat(stanza, 'websocket'), seat(stanza, 'bosh')],
];
const TABLE = PAIRS.map(([first, second]) => [describeSeat(first), describeSeat(second), first, second] as const);
/** One client for each transport, where the matter is the server's side. */
export const PROBES = [seat(stanza, 'websocket'), seat(stanza, 'bosh')].map((probe) => [describeSeat(probe), probe] as const);

interface Server {
  readonly name: string;
  /** What the sample is told of it, asked for when the server runs. */
  environment(prosody: Prosody): SampleEnvironment;
}

const SERVERS: readonly Server[] = [
  { name: 'the embedded server', environment: () => ({}) },
  {
    name: 'Prosody behind STARTTLS',
    environment: ({ port, caFile }) => ({ XMPP_UPSTREAM: `xmpp://127.0.0.1:${port}?starttls=required`, NODE_EXTRA_CA_CERTS: caFile }),
  },
];

/** The story by every client with every server, on one platform. */
export function describeClients(platform: Platform): void {
  let prosody: Prosody;

  beforeAll(async () => {
    prosody = await startProsody({ domain: DOMAIN });
  });

  afterAll(async () => {
    await Promise.all(DRIVERS.map(async (driver) => await driver.close?.()));
    await prosody?.stop();
  });

  describe.each(SERVERS)(`on ${platform} with $name`, ({ environment }) => {
    let sample: Sample;

    beforeAll(async () => {
      sample = await startSample({ HTTP_PLATFORM: platform, XMPP_DOMAINS: DOMAIN, ...environment(prosody) });
    });

    afterAll(async () => {
      await sample?.stop();
    });

    it.each(TABLE)('U3: %s and %s log in, meet, talk and log out', async (_first, _second, first, second) => {
      await tellStory({ wsUrl: sample.wsUrl, boshUrl: sample.boshUrl, domain: DOMAIN }, first, second);
    });

    it.each(PROBES)('U6: a wrong password is refused over %s, and reaches no log', async (_name, probe) => {
      const endpoint = { wsUrl: sample.wsUrl, boshUrl: sample.boshUrl, domain: DOMAIN };
      await expect(logIn(endpoint, probe, 'alice', 'not-her-password')).rejects.toThrow();
      expect(sample.output).not.toContain('not-her-password');
    });
  });
}
