/** The load generator, by its commands (bench/native/load.cc). */
import { Child } from './child.mjs';

export class Load {
  constructor(program, { transport, port, path, domain = 'localhost', route = '' }, cores) {
    this.child = new Child('load', program, [transport, String(port), path, domain, route], { cores });
    this.commands = 0;
  }

  get pid() {
    return this.child.pid;
  }

  /** Sends a command and gives its answer. */
  async command(name, args = {}, seconds = 120) {
    const id = `c${++this.commands}`;
    this.write(name, { id, ...args });
    return this.answer(id, seconds);
  }

  write(name, args) {
    const pairs = Object.entries(args).map(([key, value]) => ` ${key}=${value}`);
    this.child.write(`${name}${pairs.join('')}\n`);
  }

  async answer(id, seconds) {
    return JSON.parse(await this.child.line((line) => line.startsWith(`{"id":"${id}"`), seconds));
  }

  /** @throws when one of them could not log in */
  async login(count, args = {}) {
    const result = await this.command('login', { count, ...args }, 300);
    if (result.failed > 0) throw new Error(`${result.failed} of ${count} sessions could not log in: ${result.error}`);
    return result;
  }

  traffic(args) {
    return this.command('traffic', args, (args.seconds ?? 0) + (args.patience ?? 20) + 300);
  }

  /** Traffic that goes on until it is stopped. */
  begin(args) {
    const id = `c${++this.commands}`;
    this.write('traffic', { id, seconds: 3600, ...args });
    return {
      progress: () => this.command('progress', { of: id }),
      finish: () => {
        this.write('stop', { of: id });
        return this.answer(id, (args.patience ?? 20) + 300);
      },
      /** Until it has come to its end by itself. */
      end: () => this.answer(id, (args.patience ?? 20) + 300),
    };
  }

  logout() {
    return this.command('logout');
  }
}
