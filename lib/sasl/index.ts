export {
  chooseMechanism,
  CLIENT_MECHANISMS,
  decodeSasl,
  encodeSasl,
  saslClient,
  SaslError,
  type ClientMechanism,
  type SaslClient,
  type SaslLogin,
} from './client.js';
export { clientProof, saslPrepare, scramKeys, serverSignature, xor, type ScramHash, type ScramKeys } from './scram.js';
export { sameSecret } from './secret.js';
