export { XmppAdminController } from './admin.controller.js';
export { XmppAdminModule, type XmppAdminOptions } from './admin.module.js';
export type {
  XmppAdminClient,
  XmppAdminCounts,
  XmppAdminDetails,
  XmppAdminFilter,
  XmppAdminOverview,
  XmppAdminPage,
  XmppAdminSession,
  XmppAdminState,
  XmppAdminUpstream,
} from './admin.service.js';
export type { XmppRecordedLine, XmppRecording, XmppRecordingLines } from './recordings.js';
