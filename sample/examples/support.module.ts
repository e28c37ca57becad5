import { Module } from '@nestjs/common';
import { XmppModule } from 'nestjs-xmpp';
import { SupportBot } from './support-bot.js';

const bot = new SupportBot(async (question) => `You said: ${question}`);

@Module({ imports: [XmppModule.forRoot({ domains: ['example.org'], upstream: bot })] })
export class SupportModule {}
