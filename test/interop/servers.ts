import { startEjabberd } from '../support/ejabberd.js';
import { packageVersion } from '../support/packages.js';
import { startProsody } from '../support/prosody.js';
import type { SampleEnvironment } from '../support/sample.js';

export const DOMAIN = 'localhost';

/** An XMPP server for the sample app. */
export interface Server {
  readonly name: string;
  readonly version: string;
  /** What the sample is told of it. */
  readonly environment: SampleEnvironment;
  stop(): Promise<void>;
}

/** Starters, by the name that test titles have. */
export const SERVERS = {
  'the embedded server': async (): Promise<Server> => ({
    name: 'embedded',
    version: packageVersion('..'),
    environment: {},
    stop: async () => {},
  }),
  'Prosody behind STARTTLS': async (): Promise<Server> => {
    const prosody = await startProsody({ domain: DOMAIN });
    const version = /Prosody version (\S+)/.exec(prosody.log())?.[1];
    if (version === undefined) throw new Error(`Prosody does not say its version:\n${prosody.log()}`);
    return { name: 'Prosody', version, environment: behindStartTls(prosody), stop: async () => await prosody.stop() };
  },
  'ejabberd behind STARTTLS': async (): Promise<Server> => {
    const ejabberd = await startEjabberd({ domain: DOMAIN });
    const { version } = ejabberd;
    return { name: 'ejabberd', version, environment: behindStartTls(ejabberd), stop: async () => await ejabberd.stop() };
  },
} as const;
export type ServerName = keyof typeof SERVERS;

function behindStartTls({ port, caFile }: { readonly port: number; readonly caFile: string }): SampleEnvironment {
  return { XMPP_UPSTREAM: `xmpp://127.0.0.1:${port}?starttls=required`, NODE_EXTRA_CA_CERTS: caFile };
}
