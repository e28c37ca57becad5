import { packageFile, packageVersion } from '../../support/packages.js';
import { inChromium } from './chromium.js';

/** Strophe in a browser page. */
export const stropheInChromium = inChromium({
  name: 'Strophe',
  version: packageVersion('strophe.js'),
  transports: ['websocket', 'bosh'],
  directory: packageFile('strophe.js', 'dist'),
  styles: [],
  scripts: ['strophe.umd.cjs'],
  chat: 'strophe-chat.js',
});
