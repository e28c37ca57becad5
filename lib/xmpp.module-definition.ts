import { ConfigurableModuleBuilder } from '@nestjs/common';
import type { XmppModuleOptions } from './xmpp.options.js';

/** What is given beside the options, known when the module is made. */
export interface XmppModuleExtras {
  /** Its services can be injected without importing it again. */
  isGlobal?: boolean;
  /**
   * Decorators for the module's controllers, such as a `@Public()` or `@SkipThrottle()` of the app,
   * where global guards of the app would stand in the way.
   */
  decorators?: ClassDecorator[];
}

export const {
  ConfigurableModuleClass,
  /** The options as the app gave them. */
  MODULE_OPTIONS_TOKEN: XMPP_MODULE_OPTIONS,
  OPTIONS_TYPE,
  ASYNC_OPTIONS_TYPE,
} = new ConfigurableModuleBuilder<XmppModuleOptions>({ moduleName: 'Xmpp' })
  .setClassMethodName('forRoot')
  .setExtras<XmppModuleExtras>({ isGlobal: false, decorators: [] }, (definition, { isGlobal = false }) => ({
    ...definition,
    global: isGlobal,
  }))
  .build();
