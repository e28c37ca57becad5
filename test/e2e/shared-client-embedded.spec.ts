import { EmbeddedUpstream } from 'nestjs-xmpp';
import { describeTabs } from './shared-client.js';

describeTabs('the embedded server', async () => {
  const upstream = new EmbeddedUpstream({ domains: ['localhost'], users: { alice: 'alice', bob: 'bob' } });
  return { upstream, stop: async () => await upstream.close() };
}, 'everything');
