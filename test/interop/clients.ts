import { type Platform, PLATFORMS } from '../support/app.js';
import { type Sample, startSample } from '../support/sample.js';
import { Chronicle } from './chronicle.js';
import type { Driver, Transport } from './drivers/driver.js';
import { stanza } from './drivers/stanza.js';
import { DOMAIN, type Server, type ServerName, SERVERS } from './servers.js';
import { logIn, type Seat, tellStory } from './story.js';

export const seat = (driver: Driver, transport: Transport): Seat => ({ driver, transport });

const describeTransport = (transport: Transport): string => (transport === 'bosh' ? 'BOSH' : 'WebSocket');
const describeSeat = ({ driver, transport }: Seat): string => `${driver.name} in ${driver.host} over ${describeTransport(transport)}`;
const named = (seats: readonly Seat[]) => seats.map((each) => [describeSeat(each), each] as const);

/** One client for each transport, where the matter is the server's side. */
export const PROBES = named([seat(stanza, 'websocket'), seat(stanza, 'bosh')]);

/** Where a client takes part. */
export interface Appearance extends Seat {
  readonly platform: Platform;
}

/** Over every transport that it has, on both platforms. */
export function everywhere(driver: Driver): Appearance[] {
  return PLATFORMS.flatMap((platform) => driver.transports.map((transport) => ({ driver, transport, platform })));
}

/** For a client that takes its time: every transport and every platform once. */
export function sparingly(driver: Driver): Appearance[] {
  return driver.transports.map((transport, index) => ({ driver, transport, platform: PLATFORMS[index % PLATFORMS.length] as Platform }));
}

/** The story by these clients with one server. */
export function describeClients(serverName: ServerName, appearances: readonly Appearance[]): void {
  let server: Server;

  beforeAll(async () => {
    server = await SERVERS[serverName]();
  });

  afterAll(async () => {
    const drivers = new Set(appearances.map(({ driver }) => driver));
    await Promise.all([...drivers].map(async (driver) => await driver.close?.()));
    await server?.stop();
  });

  describe.each(PLATFORMS)(`on %s with ${serverName}`, (platform) => {
    const seats = appearances.filter((appearance) => appearance.platform === platform);
    let sample: Sample;
    const endpoint = () => ({ wsUrl: sample.wsUrl, boshUrl: sample.boshUrl, domain: DOMAIN });

    beforeAll(async () => {
      sample = await startSample({ HTTP_PLATFORM: platform, XMPP_DOMAINS: DOMAIN, ...server.environment });
    });

    afterAll(async () => {
      await sample?.stop();
    });

    it.each(named(seats))('U3: %s tells the whole story', async (_name, each) => {
      const { driver, transport } = each;
      const chronicle = new Chronicle({
        client: `${driver.name} ${driver.version}`,
        host: driver.host,
        transport: describeTransport(transport),
        ...(driver.fault !== undefined && { fault: driver.fault }),
        server: `${server.name} ${server.version}`,
        platform,
      });
      await tellStory(endpoint(), each, each, chronicle);
    });

    it.each(named(seats))('U6: %s has its wrong password refused, and no log shows it', async (_name, each) => {
      await expect(logIn(endpoint(), each, 'alice', 'not-her-password')).rejects.toThrow(/auth|password/i);
      expect(sample.output).not.toContain('not-her-password');
    });
  });
}
