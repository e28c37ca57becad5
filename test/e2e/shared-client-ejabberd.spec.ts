import { startEjabberd } from '../support/ejabberd.js';
import { behind, describeTabs } from './shared-client.js';

describeTabs('ejabberd', async () => await behind(await startEjabberd()), 'traffic');
