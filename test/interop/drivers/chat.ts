import type { ChatClient, Listener, Login } from './driver.js';

/** What a login tells. */
export type Bound = Pick<ChatClient, 'jid' | 'mechanism'>;

/** A client before its login; `strophe-chat.js` and `converse-chat.js` make them. */
export interface Chat extends Omit<ChatClient, keyof Bound> {
  connect(login: Login): Promise<Bound>;
}

/** What those scripts put into the global scope. */
export interface ChatScope {
  newChat(listener: Listener): Chat;
}
