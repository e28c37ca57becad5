export { ScriptedStream, ScriptedUpstream } from 'nestjs-xmpp/testing';
