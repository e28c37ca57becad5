import { Controller, Get, Module } from '@nestjs/common';

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
})
export class AppModule {}
