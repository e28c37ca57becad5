export { CLOSE_FRAME as CLOSE, handshakeRefusal as refusal, openFrame as open, RawWebSocket } from 'nestjs-xmpp/testing';
