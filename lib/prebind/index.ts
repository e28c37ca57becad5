export { Prebinding } from './prebind.service.js';
