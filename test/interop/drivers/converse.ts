import { packageFile, packageVersion } from '../../support/packages.js';
import { inChromium } from './chromium.js';

/** Converse in a browser page, with its own user interface. */
export const converse = inChromium({
  name: 'Converse',
  version: packageVersion('converse.js'),
  transports: ['websocket', 'bosh'],
  // A message of it is half a kilobyte and is answered with a receipt. Over BOSH it puts all that has gathered into one
  // request, however large that gets; 500 at once can come to more than `bosh.maxBodyBytes`.
  burst: 100,
  directory: packageFile('converse.js', 'dist'),
  styles: ['converse.min.css'],
  scripts: ['converse.min.js'],
  chat: 'converse-chat.js',
});
