import { Module, type DynamicModule } from '@nestjs/common';
import type { SampleConfig } from '../config.js';
import { SAMPLE_CONFIG } from './page.constants.js';
import { PageController } from './page.controller.js';

@Module({ controllers: [PageController] })
export class PageModule {
  static register(config: SampleConfig): DynamicModule {
    return { module: PageModule, providers: [{ provide: SAMPLE_CONFIG, useValue: config }] };
  }
}
