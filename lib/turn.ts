/** Whoever puts work off to the end of a turn of the event loop. */
export interface Deferred {
  /** What came in this turn was handled; what is to leave because of it can leave together. */
  endOfTurn(): void;
}

let waiting: Deferred[] = [];

/**
 * Calls {@link Deferred.endOfTurn} when everything that this turn of the event loop brought was
 * handled: the one place at which small writes are gathered. Written one by one as they arise, each
 * would wake up its reader, which costs more than the rest of the way of a stanza through us.
 */
export function defer(work: Deferred): void {
  if (waiting.push(work) === 1) setImmediate(endTurn);
}

function endTurn(): void {
  const due = waiting;
  waiting = [];
  for (const work of due) {
    try {
      work.endOfTurn();
    } catch (error) {
      // An uncaught exception, as if it had had its own callback; the others' work is done all the same.
      queueMicrotask(() => {
        throw error;
      });
    }
  }
}
