/** `LOST 0` is worth something only where a loss is seen: a server that spoils messages must be found out, on both transports. */
import { Cell } from './cell.mjs';

const MESSAGES = 2100;
const EACH = 500;
/** Four messages are spoiled: missing, with the gap that shows; there twice; too late, with the gap and missing until the end. */
const COUNTED = { drop: 8, twice: 4, swap: 12 };

/** @throws when it is not */
export async function checkThatLossIsSeen(context, floor) {
  for (const transport of ['ws', 'bosh']) {
    for (const [how, counted] of Object.entries(COUNTED)) {
      const cell = new Cell(context, { name: 'selfcheck', transport, server: [how, String(EACH)] }, floor);
      try {
        await cell.start();
        await cell.login(2);
        const { lost } = await cell.load.traffic({ flows: 1, from: 0, first: 1, window: MESSAGES, messages: MESSAGES, patience: 2 });
        if (lost !== counted) throw new Error(`${how} on ${transport}: ${lost} losses were counted, and not ${counted}`);
      } finally {
        await cell.stop();
      }
    }
  }
  console.log('messages that are dropped, doubled or swapped are seen');
}
