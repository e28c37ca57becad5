import { jest } from '@jest/globals';
import { type Prosody, startProsody } from '../support/prosody.js';
import { type Sample, type SampleEnvironment, startSample } from '../support/sample.js';
import { PROBES, seat } from './clients.js';
import { stanza } from './drivers/stanza.js';
import { type Endpoint, logIn, tellStory } from './story.js';

jest.setTimeout(60_000);

const DOMAIN = 'localhost';

let prosody: Prosody;

beforeAll(async () => {
  prosody = await startProsody({ domain: DOMAIN });
});

afterAll(async () => {
  await prosody?.stop();
});

/** Starts the sample, hands it over, and stops it, whatever happens. */
async function withSample<T>(environment: SampleEnvironment, act: (sample: Sample, endpoint: Endpoint) => Promise<T>): Promise<T> {
  const sample = await startSample(environment);
  try {
    return await act(sample, { wsUrl: sample.wsUrl, boshUrl: sample.boshUrl, domain: DOMAIN });
  } finally {
    await sample.stop();
  }
}

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
      expect(sample.output).toContain('certificate refused: ');
    });
  });

  it('U2: a certificate made out to another name ends the login, and the log says why', async () => {
    const other = await startProsody({ domain: DOMAIN, certificateNames: ['another.example'] });
    try {
      const environment = { XMPP_UPSTREAM: `xmpp://127.0.0.1:${other.port}?starttls=required`, NODE_EXTRA_CA_CERTS: other.caFile };
      await withSample(environment, async (sample, endpoint) => {
        await expect(logIn(endpoint, seat(stanza, 'websocket'), 'alice')).rejects.toThrow();
        expect(sample.output).toContain('certificate refused: ');
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
