import 'strophe.js';
import { packageVersion } from '../../support/packages.js';
import type { ChatScope } from './chat.js';
import type { Driver } from './driver.js';
import './strophe-chat.js';

/**
 * Strophe in Node. Over WebSocket only: for BOSH it needs an XMLHttpRequest that reads XML, which Node has not and its
 * build for Node does not bring.
 */
export const strophe: Driver = {
  name: 'Strophe',
  version: packageVersion('strophe.js'),
  host: 'Node',
  transports: ['websocket'],
  connect: async (login, listener) => {
    const chat = (globalThis as unknown as ChatScope).newChat(listener);
    return { ...chat, ...(await chat.connect(login)) };
  },
};
