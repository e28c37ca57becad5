import { Controller, Module, UseGuards, VERSION_NEUTRAL, type CanActivate, type DynamicModule, type ModuleMetadata, type Type } from '@nestjs/common';
import { XmppOptionsError } from '../xmpp.options.js';
import { XmppAdminController } from './admin.controller.js';
import { Admin } from './admin.service.js';

/** @publicApi For `XmppAdminModule.forRoot()`. */
export interface XmppAdminOptions {
  /** Who may: a guard of the app, as a class that Nest makes, or made. There is no administration without one. */
  readonly guard: Type<CanActivate> | CanActivate;
  /** Modules with what the guard needs. */
  readonly imports?: ModuleMetadata['imports'];
  /** Where it is served, behind the app's global prefix. Default: `xmpp-admin`. */
  readonly path?: string;
  /** Decorators for the controller, such as a `@Public()` of the app where its global guards would stand in the way. */
  readonly decorators?: ClassDecorator[];
}

/**
 * The administration of {@link XmppModule}'s sessions over JSON, for operators: list, inspect, kick, drain, trace.
 * Nobody has it who does not ask for it.
 *
 * @publicApi
 */
@Module({})
export class XmppAdminModule {
  /** @throws {XmppOptionsError} without a guard */
  static forRoot({ guard, imports = [], path = 'xmpp-admin', decorators = [] }: XmppAdminOptions): DynamicModule {
    if (!isGuard(guard)) {
      throw new XmppOptionsError('guard (of XmppAdminModule)', guard, 'a class with canActivate(), or an instance of one: it decides who may');
    }
    if (typeof path !== 'string' || !/^\/?[A-Za-z0-9._~-][A-Za-z0-9._~/-]*$/.test(path)) {
      throw new XmppOptionsError('path (of XmppAdminModule)', path, 'a path of letters, digits and - . _ ~ /');
    }
    // Metadata belongs to a class, and two apps may live in one process.
    class AdminController extends XmppAdminController {}
    Controller({ path, version: VERSION_NEUTRAL })(AdminController);
    UseGuards(guard)(AdminController);
    for (const decorate of decorators) decorate(AdminController);
    return { module: XmppAdminModule, imports, controllers: [AdminController], providers: [Admin] };
  }
}

function isGuard(guard: unknown): boolean {
  const can = (thing: unknown): boolean => typeof (thing as Partial<CanActivate> | undefined)?.canActivate === 'function';
  return typeof guard === 'function' ? can(guard.prototype) : typeof guard === 'object' && guard !== null && can(guard);
}
