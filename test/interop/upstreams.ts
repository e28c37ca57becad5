import { readFile } from 'node:fs/promises';
import { EmbeddedUpstream, TcpUpstream, type XmppUpstream } from 'nestjs-xmpp';
import { SystemClock } from '../../lib/clock.js';
import { startProsody } from '../support/prosody.js';

/** In front of which an app of the test's own runs; test titles have these names. */
export const UPSTREAMS = ['the embedded server', 'Prosody'] as const;

/** An XMPP server for `forRoot()`, with the users alice and bob, whose passwords are their names. */
export interface RunningUpstream {
  readonly upstream: XmppUpstream;
  /** To be called once the app is closed. */
  stop(): Promise<void>;
}

export async function startUpstream(name: (typeof UPSTREAMS)[number]): Promise<RunningUpstream> {
  if (name === 'the embedded server') {
    return { upstream: new EmbeddedUpstream({ users: { alice: 'alice', bob: 'bob' } }), stop: async () => {} };
  }
  const prosody = await startProsody();
  const clock = new SystemClock();
  const ca = await readFile(prosody.caFile);
  return {
    upstream: new TcpUpstream({ clock, ca, starttls: 'required', server: { host: '127.0.0.1', port: prosody.port, tls: 'starttls' } }),
    stop: async () => {
      clock.stop();
      await prosody.stop();
    },
  };
}
