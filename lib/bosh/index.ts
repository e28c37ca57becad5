export { BoshController } from './bosh.controller.js';
export { BoshEndpoint } from './bosh.endpoint.js';
