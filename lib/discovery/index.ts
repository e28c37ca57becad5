export { HostMetaController } from './host-meta.controller.js';
