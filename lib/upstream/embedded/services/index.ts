import type { EmbeddedService } from '../service.js';
import { BlockingService } from './blocking.js';
import { DiscoService } from './disco.js';
import { LastActivityService } from './last.js';
import { MucService } from './muc/service.js';
import { PepService } from './pep/service.js';
import { PingService } from './ping.js';
import { PrivateStorageService } from './private.js';
import { TimeService } from './time.js';
import { VCardService } from './vcard.js';
import { VersionService } from './version.js';

export {
  BlockingService,
  DiscoService,
  LastActivityService,
  MucService,
  PepService,
  PingService,
  PrivateStorageService,
  TimeService,
  VCardService,
  VersionService,
};

/** A fresh set of all services, for one server. */
export function embeddedServices(): EmbeddedService[] {
  return [
    new DiscoService(),
    new PingService(),
    new VersionService(),
    new TimeService(),
    new LastActivityService(),
    new VCardService(),
    new PrivateStorageService(),
    new BlockingService(),
    new PepService(),
    new MucService(),
  ];
}
