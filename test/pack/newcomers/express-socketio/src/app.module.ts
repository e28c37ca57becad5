import { Controller, Get, Module } from '@nestjs/common';
import { MessageBody, SubscribeMessage, WebSocketGateway } from '@nestjs/websockets';

@WebSocketGateway()
class NewsGateway {
  @SubscribeMessage('news')
  news(@MessageBody() topic: string): { event: string; data: string } {
    return { event: 'news', data: `nothing new about ${topic}` };
  }
}

@Controller()
class AppController {
  @Get('hello')
  hello(): string {
    return 'Hello';
  }
}

@Module({
  imports: [],
  controllers: [AppController],
  providers: [NewsGateway],
})
export class AppModule {}
