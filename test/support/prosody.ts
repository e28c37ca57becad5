import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type Certificate, createAuthority } from './certificates.js';
import { Child } from './child.js';
import { freePorts } from './ports.js';
import { requireTool } from './tools.mjs';

export interface ProsodyOptions {
  /** The XMPP domain it serves; `localhost` unless given. */
  readonly domain?: string;
  /** Accounts, name to password; alice and bob with their names as passwords unless given. */
  readonly users?: Readonly<Record<string, string>>;
  /** The names its certificate is made out to; the domain unless given. */
  readonly certificateNames?: readonly string[];
  /** Whether a client must use TLS on the c2s port before it may log in; true unless given. */
  readonly requireTls?: boolean;
}

/** A Prosody that listens on loopback. */
export interface Prosody {
  readonly domain: string;
  /** c2s with STARTTLS. */
  readonly port: number;
  /** c2s with TLS from the first byte (XEP-0368). */
  readonly directTlsPort: number;
  /** Prosody's own BOSH and WebSocket endpoints, for comparisons. */
  readonly boshUrl: string;
  readonly wsUrl: string;
  /** The authority that signed its certificate, and that certificate. */
  readonly caFile: string;
  readonly certificate: Certificate;
  /** Its log up to now. */
  log(): string;
  /** Ends it and removes what it wrote. */
  stop(): Promise<void>;
}

const ATTEMPTS = 5;
const PORT_TAKEN = /Failed to open server port/;

/**
 * Starts a Prosody of its own for a test: a foreground child process with random ports, a certificate made
 * for it and a data directory that goes away with it. Nothing of an installed Prosody's configuration is used.
 */
export async function startProsody(options: ProsodyOptions = {}): Promise<Prosody> {
  const { domain = 'localhost', users = { alice: 'alice', bob: 'bob' }, requireTls = true } = options;
  const directory = await mkdtemp(join(tmpdir(), 'nestjs-xmpp-prosody-'));
  try {
    const authority = await createAuthority(join(directory, 'tls'));
    const certificate = await authority.issue(options.certificateNames ?? [domain]);
    await writeAccounts(join(directory, 'data'), domain, users);
    const configFile = join(directory, 'prosody.cfg.lua');

    for (let attempt = 1; ; attempt++) {
      const [port, directTlsPort, httpPort] = (await freePorts(3)) as [number, number, number];
      await writeFile(configFile, configuration({ directory, domain, certificate, requireTls, port, directTlsPort, httpPort }));
      const child = new Child(requireTool('prosody'), ['-F', '--config', configFile]);
      const ready = [port, directTlsPort, httpPort].map((p) => child.waitFor(new RegExp(`Activated service .*:${p}\\b|${PORT_TAKEN.source}`)));
      try {
        await Promise.all(ready);
      } catch (error) {
        await child.stop();
        throw new Error(`Prosody did not start: ${String(error)}`, { cause: error });
      }
      if (PORT_TAKEN.test(child.output) && attempt < ATTEMPTS) {
        await child.stop();
        continue;
      }
      return {
        domain,
        port,
        directTlsPort,
        boshUrl: `http://127.0.0.1:${httpPort}/http-bind`,
        wsUrl: `ws://127.0.0.1:${httpPort}/xmpp-websocket`,
        caFile: authority.certFile,
        certificate,
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

/** Account files as Prosody's internal storage keeps them; it hashes the password at the first login. */
async function writeAccounts(data: string, domain: string, users: Readonly<Record<string, string>>): Promise<void> {
  const accounts = join(data, storeName(domain), 'accounts');
  await mkdir(accounts, { recursive: true });
  for (const [name, password] of Object.entries(users)) {
    await writeFile(join(accounts, `${storeName(name)}.dat`), `return { ["password"] = ${lua(password)}; };\n`);
  }
}

/** File names of Prosody's storage: what is not alphanumeric is percent-encoded, with lower-case digits. */
function storeName(name: string): string {
  return name.replace(/[^a-z0-9]/gi, (character) => `%${character.charCodeAt(0).toString(16).padStart(2, '0')}`);
}

function lua(text: string): string {
  return `"${text.replace(/["\\\n]/g, (character) => `\\${character === '\n' ? 'n' : character}`)}"`;
}

interface Configuration {
  readonly directory: string;
  readonly domain: string;
  readonly certificate: Certificate;
  readonly requireTls: boolean;
  readonly port: number;
  readonly directTlsPort: number;
  readonly httpPort: number;
}

function configuration(c: Configuration): string {
  return `
run_as_root = true
daemonize = false
pidfile = ${lua(join(c.directory, 'prosody.pid'))}
data_path = ${lua(join(c.directory, 'data'))}
plugin_paths = {}
log = { debug = "*console" }
interfaces = { "127.0.0.1" }
local_interfaces = { "127.0.0.1" }
c2s_ports = { ${c.port} }
c2s_direct_tls_ports = { ${c.directTlsPort} }
http_ports = { ${c.httpPort} }
http_interfaces = { "127.0.0.1" }
https_ports = {}
modules_enabled = {
  "roster", "saslauth", "tls", "disco", "private", "vcard_legacy", "pep", "ping", "smacks", "carbons",
  "blocklist", "csi_simple", "offline", "bosh", "websocket", "version", "time",
}
modules_disabled = { "s2s", "dialback" }
authentication = "internal_hashed"
default_iteration_count = 4096
c2s_require_encryption = ${c.requireTls}
allow_unencrypted_plain_auth = false
consider_bosh_secure = true
consider_websocket_secure = true
ssl = { certificate = ${lua(c.certificate.certFile)}, key = ${lua(c.certificate.keyFile)} }

VirtualHost ${lua(c.domain)}

Component ${lua(`conference.${c.domain}`)} "muc"
`;
}
