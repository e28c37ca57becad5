import type { XmppTrace, XmppTraceHandle, XmppTraceLine } from '../observability/index.js';

/** @publicApi A trace that the administration started, and what it saw. */
export interface XmppRecording {
  /** Names it in requests. */
  readonly id: number;
  /** What was asked for: a session's id where it was asked for by `sid`. */
  readonly key: string;
  /** ISO 8601. */
  readonly startedAt: string;
  /** Whether it goes on: not stopped, its time not over, and its session, where it is of a single one, alive. */
  readonly running: boolean;
  /** How many lines there were, of which the last ones are kept. */
  readonly lines: number;
}

/** @publicApi A line of it. */
export interface XmppRecordedLine extends Omit<XmppTraceLine, 'at'> {
  /** From 1. */
  readonly number: number;
  /** ISO 8601. */
  readonly at: string;
}

/** @publicApi A trace with what it saw. */
export interface XmppRecordingLines extends XmppRecording {
  /** In the order in which it happened. */
  readonly recorded: readonly XmppRecordedLine[];
}

/** As many are kept, the newest. */
const MAX_LINES = 500;
const MAX_RECORDINGS = 16;

interface Recording {
  readonly id: number;
  readonly handle: XmppTraceHandle;
  readonly lines: XmppRecordedLine[];
  count: number;
}

/** The traces that the administration started, with their last lines, until they are deleted. */
export class Recordings {
  private readonly all = new Map<number, Recording>();
  private last = 0;

  constructor(private readonly trace: XmppTrace) {}

  /** @throws {TypeError} as {@link XmppTrace.start}, and when there are too many */
  start(key: string, seconds: number): XmppRecording {
    const done = [...this.all.values()].find(({ handle }) => !handle.running);
    if (this.all.size >= MAX_RECORDINGS && !done) throw new TypeError(`${MAX_RECORDINGS} traces run already`);
    const lines: XmppRecordedLine[] = [];
    const sink = ({ at, ...line }: XmppTraceLine): void => {
      lines.push({ number: ++recording.count, at: at.toISOString(), ...line });
      if (lines.length > MAX_LINES) lines.shift();
    };
    const handle = this.trace.start(key, sink, { seconds });
    const recording: Recording = { id: ++this.last, handle, lines, count: 0 };
    if (this.all.size >= MAX_RECORDINGS) this.all.delete(done!.id);
    this.all.set(recording.id, recording);
    return view(recording);
  }

  list(): XmppRecording[] {
    return [...this.all.values()].map(view);
  }

  /** @returns its lines after one; undefined when there is no such trace */
  lines(id: number, after: number): XmppRecordingLines | undefined {
    const recording = this.all.get(id);
    return recording && { ...view(recording), recorded: recording.lines.filter(({ number }) => number > after) };
  }

  /** Whether one of them follows this session. */
  follows(session: string): boolean {
    return [...this.all.values()].some(({ handle }) => handle.running && handle.sessions.includes(session));
  }

  stop(id: number): boolean {
    this.all.get(id)?.handle.stop();
    return this.all.delete(id);
  }
}

function view({ id, handle: { key, startedAt, running }, count }: Recording): XmppRecording {
  return { id, key, startedAt: startedAt.toISOString(), running, lines: count };
}
