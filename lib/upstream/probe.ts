import { NS } from '../xml/index.js';
import { streamErrorCondition } from './stream-error.js';
import { hasFeatures } from './stream-header.js';
import type { UpstreamStream, XmppUpstream } from './upstream.js';

/**
 * Opens a stream as far as the server's first word and closes it again.
 * @returns when the stream is gone
 * @throws Error with the reason when the server cannot be used
 */
export function probeUpstream(upstream: XmppUpstream, domain: string): Promise<void> {
  return new Promise((resolve, reject) => {
    let usable = false;
    let refused: string | undefined;
    const request = { domain, header: {}, client: { address: '', port: 0, secure: false } };
    const stream: UpstreamStream = upstream.open(request, {
      onOpen(header) {
        if (hasFeatures(header)) return;
        usable = true;
        stream.close();
      },
      onStanza(stanza) {
        if (usable || refused !== undefined) return;
        if (stanza.is('error', NS.streams)) refused = `stream error ${streamErrorCondition(stanza)}`;
        else usable = true;
        stream.close();
      },
      onDrain() {},
      onEnd({ message }) {
        if (usable) resolve();
        else reject(new Error(`${upstream.name}: ${refused ?? message ?? 'the server closed the stream'}`));
      },
    });
  });
}
