/** One message, from the moment it was handed to a transport. */
interface Entry {
  readonly life: Life;
  readonly to: string;
  readonly number: number;
  readonly sentAt: number;
  /** The server has it: it answered something that was sent later, or acknowledged it. */
  confirmed: boolean;
  /** Who has it, and in which life. */
  readonly readers: { readonly reader: Reader; readonly life: Life }[];
  bounced: number;
}

/** One who reads what comes for a user. Several may share a stream: each gets everything. */
export interface Reader {
  readonly user: string;
  /** Of the stream; the same for those who share it. Undefined where the user never has two. */
  readonly stream?: object;
}

/** A user's stay online, from login to its end, on however many connections. */
export class Life {
  readonly entries: Entry[] = [];
  /** It ended without a word, and nobody went on with it: what was on its way may be lost. */
  diedAt: number | undefined;
  /** Since when it is leaving in order, with nothing that would tell its server what it got. */
  leavingAt = Infinity;
  /** When it was last heard of. */
  aliveAt = Date.now();
  /** The user was online again at its address, or the server must have noticed. */
  goneAt = Infinity;

  constructor(
    readonly number: number,
    readonly user: string,
    /** Its full JID: what is sent to one that is not there goes to the user's others. */
    readonly address: string,
  ) {}

  /** Everything that was sent so far is with the server. */
  confirm(count: number): void {
    for (let i = Math.min(count, this.entries.length); i-- > 0 && !this.entries[i]!.confirmed; ) this.entries[i]!.confirmed = true;
  }
}

/** Milliseconds that a message may have been on its way before its receiver was heard of for the last time. */
const UNDER_WAY = 15_000;

/** Saw what the server got and what it sent. */
export interface Witness {
  /** When the server got a message; undefined: never. */
  reachedAt(id: string): number | undefined;
  /** When it sent it to somebody, for the last time. */
  deliveredAt(id: string): number | undefined;
}

/** What the server did by itself: all that the gateway answers for went through it as it came. */
export interface ServerAccount {
  /** They reached it, and it sent them to nobody. */
  readonly lost: number;
  readonly doubled: number;
  readonly reordered: number;
  /** A sentence each. */
  readonly notes: readonly string[];
}

export interface Account {
  readonly sent: number;
  readonly received: number;
  readonly bounced: number;
  /** Sent by somebody who was cut off, and the server never confirmed it. */
  readonly unconfirmed: number;
  /** Crossed with the end of the stream of a receiver who left, without stream management. */
  readonly crossed: number;
  /** For somebody who was cut off, about that time, and could not go on with his stream. */
  readonly lostWithReceiver: number;
  /** Waited in the server's offline store, and came behind newer ones: what comes between a bind and the first presence goes directly. */
  readonly overtaken: number;
  readonly faults: readonly string[];
  /** Where somebody saw what it did; those are no faults then. */
  readonly server?: ServerAccount;
}

interface Fault {
  readonly text: string;
  /** What a server may do as well as a gateway. */
  readonly kind?: 'doubled' | 'reordered';
}

/** Knows every message, and what became of it. */
export class Ledger {
  private readonly entries = new Map<string, Entry>();
  private readonly lives = new Map<string, Life[]>();
  /** The highest number that a reader has, by the number of the sender's life. */
  private readonly highest = new WeakMap<Reader, Map<number, number>>();
  private readonly faults: Fault[] = [];
  private readonly notes = new Map<string, string[]>();
  private readonly startedAt = Date.now();
  private count = 0;
  private overtaken = 0;

  begin(user: string, address = user): Life {
    const life = new Life(++this.count, user, address);
    this.lives.set(user, [...(this.lives.get(user) ?? []), life]);
    return life;
  }

  /** It takes the place of those before it at its address: nothing is sent there any more. */
  replace(life: Life): void {
    for (const before of this.lives.get(life.user) ?? []) {
      if (before !== life && before.address === life.address) before.goneAt = Math.min(before.goneAt, Date.now());
    }
  }

  /** One that only sends; another life of the user's gets what is sent to him. */
  beginSender(user: string): Life {
    return new Life(++this.count, user, user);
  }

  /** A life ended without a word. `patience`: milliseconds until the server must have noticed. */
  died(life: Life, patience: number): void {
    life.diedAt = Date.now();
    life.goneAt = life.diedAt + patience;
  }

  /** @returns the id of a new message */
  send(life: Life, to: string): string {
    const number = life.entries.length;
    const id = `m${life.number}-${number}`;
    const entry: Entry = { life, to, number, sentAt: Date.now(), confirmed: false, readers: [], bounced: 0 };
    life.entries.push(entry);
    this.entries.set(id, entry);
    return id;
  }

  /** @param stored by the server until its receiver came */
  received(reader: Reader, life: Life, id: string, stored = false): void {
    const { user } = reader;
    const entry = this.entries.get(id);
    if (!entry) return this.fault(`${user} got ${id}, which nobody sent`);
    if (entry.to !== user) return this.fault(`${user} got ${entry.life.user}'s ${id}, which was for ${entry.to}`);
    const numbers = this.highest.get(reader) ?? new Map<number, number>();
    this.highest.set(reader, numbers);
    // What waited in the server's store may be overtaken by what comes directly.
    const sequence = stored ? -entry.life.number : entry.life.number;
    const highest = numbers.get(sequence) ?? -1;
    if (stored && entry.readers.length === 0 && entry.number < (numbers.get(entry.life.number) ?? -1)) this.overtaken++;
    const before = entry.readers.filter((other) => other.reader === reader || other.reader.stream !== reader.stream);
    // Somebody who was cut off could not tell what he had.
    const again = before.some((other) => other.life.diedAt === undefined);
    entry.readers.push({ reader, life });
    numbers.set(sequence, Math.max(highest, entry.number));
    if (this.excuse(entry)) return;
    const what = `${entry.life.user}'s ${id}, sent at ${this.time(entry.sentAt)}`;
    if (again) this.fault(`${user} got ${what}, ${entry.readers.length} times`, 'doubled');
    else if (before.length === 0 && entry.number < highest) this.fault(`${user} got ${what}, behind number ${highest}`, 'reordered');
    if (entry.bounced > 0) this.fault(`${user} got ${what}, which was bounced`);
  }

  bounced(user: string, id: string): void {
    const entry = this.entries.get(id);
    if (!entry) return this.fault(`${user} was told of ${id}, which nobody sent`);
    if (entry.life.user !== user) return this.fault(`${user} was told of ${id}, which is not his`);
    const excused = this.excuse(entry);
    if (entry.bounced++ > 0 && !excused) this.fault(`${id} was bounced ${entry.bounced} times`);
    if (entry.readers.length === 0) return;
    if (excused) this.note(entry.to, `${id} was bounced, too`);
    else this.fault(`${id} was bounced, and ${entry.to} has it`);
  }

  fault(text: string, kind?: Fault['kind']): void {
    this.faults.push({ text: `${this.time()}: ${text}`, ...(kind && { kind }) });
  }

  /** For whoever looks for the cause of a fault. */
  note(user: string, text: string): void {
    const notes = this.notes.get(user) ?? [];
    notes.push(`${this.time()} ${text}`);
    this.notes.set(user, notes);
  }

  private time(at = Date.now()): string {
    return `${((at - this.startedAt) / 1000).toFixed(3)} s`;
  }

  /** By user. */
  get histories(): ReadonlyMap<string, readonly string[]> {
    return this.notes;
  }

  /** Messages of which nobody knows anything yet, for which there is no excuse. */
  get open(): number {
    let open = 0;
    for (const entry of this.entries.values()) if (this.isMissing(entry) && entry.confirmed && !this.excuse(entry) && !this.crossed(entry)) open++;
    return open;
  }

  /** @param witness of the server, where somebody compares besides whether all went through the gateway as it came */
  account(witness?: Witness): Account {
    let [received, bounced, unconfirmed, crossed, lostWithReceiver, lost] = [0, 0, 0, 0, 0, 0];
    const faults: string[] = [];
    const notes: string[] = [];
    for (const { text, kind } of this.faults) (witness && kind ? notes : faults).push(text);
    for (const [id, entry] of this.entries) {
      if (entry.readers.length > 0) received++;
      if (entry.bounced > 0) bounced++;
      if (!this.isMissing(entry)) continue;
      const reachedAt = witness?.reachedAt(id);
      const deliveredAt = witness?.deliveredAt(id);
      // A busy server may have taken its time.
      if (this.excuse(entry) || (deliveredAt !== undefined && this.excuse(entry, deliveredAt))) lostWithReceiver++;
      else if (this.crossed(entry) || (deliveredAt !== undefined && this.crossed(entry, deliveredAt))) crossed++;
      else if (!entry.confirmed && entry.life.diedAt !== undefined) unconfirmed++;
      else {
        const text = `${entry.life.user}'s ${id} for ${entry.to}, sent at ${this.time(entry.sentAt)}, is lost${entry.confirmed ? '' : ', and its sender lived'}`;
        const byServer = reachedAt !== undefined && deliveredAt === undefined;
        if (byServer) lost++;
        const [got, sent] = [reachedAt === undefined ? 'never got it' : `got it at ${this.time(reachedAt)}`, deliveredAt === undefined ? '' : `, and sent it at ${this.time(deliveredAt)}`];
        (byServer ? notes : faults).push(witness ? `${text}; the server ${got}${sent}` : text);
      }
    }
    const account = { sent: this.entries.size, received, bounced, unconfirmed, crossed, lostWithReceiver, overtaken: this.overtaken, faults };
    if (!witness) return account;
    const [doubled, reordered] = (['doubled', 'reordered'] as const).map((wanted) => this.faults.filter(({ kind }) => kind === wanted).length) as [number, number];
    return { ...account, server: { lost, doubled, reordered, notes } };
  }

  private isMissing({ readers, bounced }: Entry): boolean {
    return readers.length === 0 && bounced === 0;
  }

  /** Whether its receiver was leaving about then. */
  private crossed({ to, sentAt }: Entry, at = sentAt): boolean {
    return (this.lives.get(to) ?? []).some(({ leavingAt, goneAt }) => at >= leavingAt - UNDER_WAY && at <= goneAt);
  }

  /** Whether its receiver was cut off about then, and could not go on. */
  private excuse({ to, sentAt }: Entry, at = sentAt): boolean {
    for (const { diedAt, aliveAt, goneAt } of this.lives.get(to) ?? []) {
      if (diedAt !== undefined && at >= aliveAt - UNDER_WAY && at <= goneAt) return true;
    }
    return false;
  }
}
