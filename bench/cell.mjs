/** One measurement: one scenario on one target, with processes of its own. */
import { mkdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { Child, stopAll } from './child.mjs';
import { Load } from './load.mjs';
import { cpuSeconds, residentBytes } from './machine.mjs';
import { CACHE } from './paths.mjs';
import { partsOf } from './report/profile.mjs';

export const PROFILES = join(CACHE, 'profiles');

/** What a scenario works with. */
export class Cell {
  /** Messages that were lost, and sessions that ended unasked. */
  lost = 0;
  /** Of the measured phases: seconds of the wall, and of CPU of each process. */
  spent = { wall: 0, target: 0, load: 0, server: 0 };

  constructor(context, scenario, target) {
    Object.assign(this, { context, scenario, target });
    /** Factor for the length of all that is measured. */
    this.scale = context.scale;
    this.quick = context.quick;
    this.transport = scenario.transport;
  }

  async start() {
    const { cores, programs } = this.context;
    const looked = this.scenario.looked === true || this.profiled;
    if (!this.target.hasServer) {
      this.server = new Child('server', programs.server, this.scenario.server ?? [], { cores: cores?.others });
      this.upstreamPort = Number((await this.server.line((line) => line.startsWith('listening'))).split(' ')[1]);
    }
    const { transport, upstreamPort } = this;
    this.running = await this.target.start({ transport, upstreamPort, cores: cores?.measured, looked: looked && !this.target.opaque });
    this.load = new Load(programs.load, this.running, cores?.others);
  }

  get profiled() {
    return this.context.profile && this.target.profiled === true;
  }

  get pid() {
    return this.running.child.pid;
  }

  /** Seconds that a phase lasts. */
  seconds(full) {
    return full * this.scale;
  }

  login(count, args) {
    return this.load.login(count, args);
  }

  /** Traffic that nobody measures: the compilers of all that is Node warm up. */
  async warm(args) {
    this.note(await this.load.traffic(args));
  }

  /** Traffic whose cost is measured. */
  async traffic(args) {
    return this.measure(async () => this.note(await this.load.traffic(args)));
  }

  note(result) {
    this.lost += result.lost + result.gone;
    if (result.error) this.context.say(`    ${this.target.name}: ${result.error}`);
    return result;
  }

  /**
   * @param work resolves when all that belongs to it is done
   * @returns what `work` returned, with `cpu`: seconds that the target used for it
   */
  async measure(work) {
    await this.settle();
    if (this.profiled) await this.running.child.ask({ what: 'profile' });
    const before = this.readCpu();
    const started = performance.now();
    const result = await work();
    const wall = (performance.now() - started) / 1000;
    const after = this.readCpu();
    if (this.profiled) await this.saveProfile(result?.delivered);
    const spent = { wall };
    for (const name of Object.keys(after)) spent[name] = after[name] - before[name];
    for (const name of Object.keys(this.spent)) this.spent[name] += spent[name] ?? 0;
    return { ...result, wall, cpu: spent.target };
  }

  readCpu() {
    const cpu = { target: cpuSeconds(this.pid), load: cpuSeconds(this.load.pid) };
    if (this.server) cpu.server = cpuSeconds(this.server.pid);
    return cpu;
  }

  /** @param count messages that were delivered meanwhile, if that was the work */
  async saveProfile(count) {
    const folder = join(PROFILES, this.context.started);
    mkdirSync(folder, { recursive: true });
    this.profiles ??= [];
    const file = join(folder, `${this.scenario.name}-${this.target.name}${this.profiles.length || ''}.cpuprofile`);
    await this.running.child.ask({ what: 'save', file });
    this.profiles.push(file);
    if (count > 0) this.parts = partsOf(JSON.parse(readFileSync(file, 'utf8')), count);
  }

  /** Waits until the target has nothing left to do from what was before, for three seconds at most. */
  async settle() {
    let previous = cpuSeconds(this.pid);
    for (let i = 0, quiet = 0; i < 30 && quiet < 2; i++) {
      await sleep(100);
      const now = cpuSeconds(this.pid);
      quiet = now === previous ? quiet + 1 : 0;
      previous = now;
    }
  }

  /** Bytes that the target has resident; where it is Node, after its garbage was collected. */
  async memory() {
    await this.settle();
    if (this.scenario.looked && !this.target.opaque) await this.running.child.ask({ what: 'collect' });
    return residentBytes(this.pid);
  }

  /** Bytes that V8 holds in the target, which is Node, on its heap and beside it: without what it has in hand, or the system for it. */
  async held() {
    await this.settle();
    const { heapUsed, external } = await this.running.child.ask({ what: 'collect' });
    return heapUsed + external;
  }

  residentNow() {
    return residentBytes(this.pid);
  }

  /** The share of a core that the busier of our own two processes used while it was measured. */
  get ownBusiest() {
    const { wall, load, server } = this.spent;
    return wall > 0 ? Math.max(load, server) / wall : 0;
  }

  get targetBusy() {
    return this.spent.wall > 0 ? this.spent.target / this.spent.wall : 0;
  }

  async stop() {
    await this.load?.child.stop();
    await this.running?.child.stop();
    // The server, and what was started and never got so far that we know it.
    await stopAll();
    await this.running?.cleanUp?.();
  }
}
