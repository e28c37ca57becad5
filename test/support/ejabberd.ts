import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import process from 'node:process';
import { type Certificate, createAuthority } from './certificates.js';
import { Child } from './child.js';
import { freePorts } from './ports.js';
import { requireTool } from './tools.mjs';

export interface EjabberdOptions {
  /** The XMPP domain it serves; `localhost` unless given. */
  readonly domain?: string;
  /** Accounts, name to password; alice and bob with their names as passwords unless given. */
  readonly users?: Readonly<Record<string, string>>;
}

/** An ejabberd that listens on loopback. */
export interface Ejabberd {
  /** As it says itself. */
  readonly version: string;
  /** c2s; STARTTLS is required. */
  readonly port: number;
  /** c2s with TLS from the first byte (XEP-0368). */
  readonly directTlsPort: number;
  /** The authority that signed its certificate. */
  readonly caFile: string;
  /** Its log up to now. */
  log(): string;
  /** Ends it and removes what it wrote. */
  stop(): Promise<void>;
}

const ATTEMPTS = 5;
const PORT_TAKEN = /eaddrinuse|address already in use/i;
const REGISTERED = 'the accounts of the test are registered';

/**
 * Starts an ejabberd of its own for a test: a foreground child process with random ports, a certificate made
 * for it and a data directory that goes away with it. Nothing of an installed ejabberd's configuration is used.
 * It is an Erlang node without a name, so that neither a cookie nor the port mapper (epmd) takes part.
 */
export async function startEjabberd(options: EjabberdOptions = {}): Promise<Ejabberd> {
  const { domain = 'localhost', users = { alice: 'alice', bob: 'bob' } } = options;
  const directory = await mkdtemp(join(tmpdir(), 'nestjs-xmpp-ejabberd-'));
  try {
    const authority = await createAuthority(join(directory, 'tls'));
    const certificate = await authority.issue([domain]);
    const configFile = join(directory, 'ejabberd.yml');

    for (let attempt = 1; ; attempt++) {
      const [port, directTlsPort] = (await freePorts(2)) as [number, number];
      await writeFile(configFile, configuration(domain, certificate, port, directTlsPort));
      const spool = join(directory, `spool-${attempt}`);
      const child = await spawnEjabberd(directory, configFile, spool, registration(domain, users));
      const marks = [REGISTERED, ...[port, directTlsPort].map((p) => `Start accepting \\S+ connections at 127\\.0\\.0\\.1:${p}\\b`)];
      try {
        await Promise.all(marks.map((mark) => child.waitFor(new RegExp(`${mark}|${PORT_TAKEN.source}`, 'i'), 60)));
      } catch (error) {
        await child.stop();
        throw new Error(`ejabberd did not start: ${String(error)}`, { cause: error });
      }
      if (PORT_TAKEN.test(child.output) && attempt < ATTEMPTS) {
        await child.stop();
        continue;
      }
      return {
        version: /ejabberd (\S+) is started/.exec(child.output)?.[1] ?? 'of an unknown version',
        port,
        directTlsPort,
        caFile: authority.certFile,
        log: () => child.output,
        stop: async () => {
          await child.stop();
          await rm(directory, { recursive: true, force: true });
        },
      };
    }
  } catch (error) {
    await rm(directory, { recursive: true, force: true });
    throw error;
  }
}

async function spawnEjabberd(directory: string, configFile: string, spool: string, evaluate: string): Promise<Child> {
  const control = await readFile(requireTool('ejabberd'), 'utf8');
  // The control script knows where its package keeps Erlang and the modules; all else that it does is of no use here.
  const setting = (name: string): string => {
    const value = new RegExp(`^${name}=["']?([^"'\\n]+)["']?$`, 'm').exec(control)?.[1];
    if (value === undefined) throw new Error(`ejabberdctl does not say what ${name} is`);
    return value;
  };
  const idle = ['+sbwt', 'none', '+sbwtdcpu', 'none', '+sbwtdio', 'none'];
  const store = ['-mnesia', 'dir', erlangString(spool)];
  return new Child(setting('ERL'), [...idle, '-noinput', ...store, '-s', 'ejabberd', '-eval', evaluate], {
    cwd: directory,
    env: {
      PATH: process.env.PATH,
      HOME: directory,
      ERL_LIBS: setting('ERL_LIBS'),
      ERL_CRASH_DUMP_BYTES: '0',
      EJABBERD_CONFIG_PATH: configFile,
      EJABBERD_LOG_PATH: join(directory, 'ejabberd.log'),
    },
  });
}

/** Erlang that the node runs once ejabberd is up. */
function registration(domain: string, users: Readonly<Record<string, string>>): string {
  const accounts = Object.entries(users).map(
    ([name, password]) => `ok = ejabberd_auth:try_register(${binary(name)}, ${binary(domain)}, ${binary(password)})`,
  );
  return [...accounts, `io:format("${REGISTERED}~n")`].join(', ');
}

function erlangString(text: string): string {
  return `"${text.replace(/["\\]/g, (character) => `\\${character}`)}"`;
}

function binary(text: string): string {
  return `<<${erlangString(text)}/utf8>>`;
}

/** JSON is YAML too. */
function configuration(domain: string, certificate: Certificate, port: number, directTlsPort: number): string {
  const listener = { module: 'ejabberd_c2s', ip: '127.0.0.1', max_stanza_size: 1024 * 1024 };
  return JSON.stringify(
    {
      hosts: [domain],
      loglevel: 'info',
      certfiles: [certificate.certFile, certificate.keyFile],
      listen: [
        { ...listener, port, starttls_required: true },
        { ...listener, port: directTlsPort, tls: true },
      ],
      auth_method: ['internal'],
      auth_password_format: 'scram',
      modules: {
        mod_roster: {},
        mod_disco: {},
        mod_caps: {},
        mod_ping: {},
        mod_vcard: {},
        mod_private: {},
        mod_pubsub: { plugins: ['flat', 'pep'] },
        mod_stream_mgmt: {},
        mod_carboncopy: {},
        mod_privacy: {},
        mod_blocking: {},
        mod_muc: {},
        mod_offline: {},
        mod_client_state: {},
        mod_last: {},
        mod_time: {},
        mod_version: {},
      },
    },
    undefined,
    2,
  );
}
