import { startProsody } from '../support/prosody.js';
import { behind, describeTabs } from './shared-client.js';

describeTabs('Prosody', async () => await behind(await startProsody()), 'traffic');
