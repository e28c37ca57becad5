/**
 * Makes up for a client that takes the answers of BOSH as they come to it, where it must process them in the order of
 * its requests (XEP-0124, section 14.2): two answers that left one right after the other, on two connections, may
 * change places on their way, all the more when the first is large and packed.
 * To be imported before the client, which keeps the `fetch` that it finds.
 */
const fetchAsItComes = globalThis.fetch;

/** A request, by its session and `rid`, until the answer to the next one is there. */
interface Turn {
  readonly over: Promise<void>;
  end(): void;
}

const turns = new Map<string, Turn>();

/** A request that is repeated keeps its turn. */
function turnOf(key: string): Turn {
  let turn = turns.get(key);
  if (!turn) {
    let end!: () => void;
    const over = new Promise<void>((resolve) => (end = resolve));
    turn = { over, end };
    turns.set(key, turn);
  }
  return turn;
}

globalThis.fetch = async (input, init) => {
  const [, tag = ''] = /^<body\b([^>]*)>/.exec(typeof init?.body === 'string' ? init.body : '') ?? [];
  const sid = /\bsid="([^"]+)"/.exec(tag)?.[1];
  const rid = Number(/\brid="(\d+)"/.exec(tag)?.[1]);
  if (sid === undefined || Number.isNaN(rid)) return await fetchAsItComes(input, init);

  const turn = turnOf(`${sid} ${rid}`);
  const before = `${sid} ${rid - 1}`;
  const answer = await fetchAsItComes(input, init);
  const text = await answer.text();
  await turns.get(before)?.over;
  turns.delete(before);
  turn.end();
  // Not a Response, which gives its text in more steps the longer it is.
  return { ok: answer.ok, status: answer.status, text: async () => text } as Response;
};
