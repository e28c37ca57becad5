import { PLATFORMS } from '../support/app.js';
import { type Sample, startSample } from '../support/sample.js';
import type { Appearance } from './cast.js';
import { Chronicle, describeTransport, headingOf } from './chronicle.js';
import type { Driver, Transport } from './drivers/driver.js';
import { stanza } from './drivers/stanza.js';
import { DOMAIN, type Server, type ServerName, SERVERS } from './servers.js';
import { logIn, type Seat, tellStory } from './story.js';

export const seat = (driver: Driver, transport: Transport): Seat => ({ driver, transport });

export const describeSeat = ({ driver, transport }: Seat): string => `${driver.name} in ${driver.host} over ${describeTransport(transport)}`;
export const named = <S extends Seat>(seats: readonly S[]) => seats.map((each) => [describeSeat(each), each] as const);

/** One client for each transport, where the matter is the server's side. */
export const PROBES = named([seat(stanza, 'websocket'), seat(stanza, 'bosh')]);

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
      const chronicle = new Chronicle({ ...headingOf(each), server: `${server.name} ${server.version}` });
      await tellStory(endpoint(), each, each, chronicle);
    });

    it.each(named(seats))('U6: %s has its wrong password refused, and no log shows it', async (_name, each) => {
      await expect(logIn(endpoint(), each, 'alice', 'not-her-password')).rejects.toThrow(/auth|password/i);
      expect(sample.output).not.toContain('not-her-password');
    });
  });
}
