export { openStream, TRANSPORTS, type WebClient, type WebTransport } from 'nestjs-xmpp/testing';
