import type { Strophe } from 'strophe.js';
import type { SharedConnection, StatusCallback, StropheConnection } from '../../../client/index.js';

/** Fails to compile when Strophe's own types do not fit those of the plugin. */
type Connection = InstanceType<typeof Strophe.Connection>;
type Accepts<Wanted, Given extends Wanted> = Given;

export type AConnectionCanBeShared = Accepts<ConstructorParameters<typeof SharedConnection>[0], Connection>;
export type AConnectionIsAsDescribed = Accepts<StropheConnection, Connection>;
export type ACallbackFits = Accepts<Parameters<Connection['connect']>[2], StatusCallback>;
