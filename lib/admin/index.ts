export { XmppAdminController } from './admin.controller.js';
export { XmppAdminModule, type XmppAdminOptions } from './admin.module.js';
export type { XmppAdminDetails, XmppAdminFilter, XmppAdminOverview, XmppAdminPage, XmppAdminSession, XmppAdminState } from './admin.service.js';
export type { XmppRecordedLine, XmppRecording } from './recordings.js';
