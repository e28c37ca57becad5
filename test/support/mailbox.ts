export { Mailbox } from 'nestjs-xmpp/testing';
