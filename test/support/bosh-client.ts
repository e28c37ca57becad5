export { BoshAnswer, boshBody as body, boshCreation as creation, BoshHttp, BoshSession, type Pending } from 'nestjs-xmpp/testing';

export const HTTPBIND = 'http://jabber.org/protocol/httpbind';
