/** XMPP servers with their own endpoints for the web. Their users are local there: not the same work, but what one would run otherwise. */
import { execFileSync } from 'node:child_process';
import { copyFileSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import process from 'node:process';
import { findCommand } from '../../test/support/tools.mjs';
import { Child } from '../child.mjs';
import { ROOT } from '../paths.mjs';
import { freePort, listening } from './ports.mjs';

const LOCAL = 'its own endpoints; its users are local there, so that it routes their messages in the same process';
/** They are slow at this: fewer logins take as long. */
const LOGIN_FACTOR = 0.2;

function temporary(name) {
  const folder = mkdtempSync(join(tmpdir(), `bench-${name}-`));
  return { folder, cleanUp: () => rmSync(folder, { recursive: true, force: true }) };
}

/** The version of a Debian package, where that is how it got here. */
function versionOf(name) {
  try {
    return execFileSync('dpkg-query', ['-W', '-f', '${Version}', name], { encoding: 'utf8', stdio: ['ignore', 'pipe', 'ignore'] }).replace(/[-~+].*/, '');
  } catch {
    return '';
  }
}

function server(name, command, start) {
  const version = versionOf(name);
  return {
    name,
    title: `${name === 'prosody' ? 'Prosody' : name} ${version}`.trim(),
    about: `${version} ${LOCAL}`.trim(),
    hasServer: true,
    opaque: true,
    mostRounds: 2,
    foreign: true,
    missing: () => (findCommand(command) === undefined ? `there is no ${command} (on Debian: apt-get install ${name})` : undefined),
    async start({ transport, cores }) {
      const { folder, cleanUp } = temporary(name);
      const port = await freePort();
      const { child, groupAddress } = start({ folder, port, cores });
      try {
        await listening(port, child);
      } catch (error) {
        await child.stop();
        cleanUp();
        throw error;
      }
      return { child, port, transport, path: transport === 'ws' ? '/xmpp-websocket' : '/http-bind', groupAddress, loginFactor: LOGIN_FACTOR, cleanUp };
    },
  };
}

export const prosody = server('prosody', 'prosody', ({ folder, port, cores }) => {
  copyFileSync(join(ROOT, 'bench', 'peers', 'mod_bench.lua'), join(folder, 'mod_bench.lua'));
  const config = join(folder, 'prosody.cfg.lua');
  writeFileSync(
    config,
    `
run_as_root = true
daemonize = false
pidfile = "${folder}/prosody.pid"
data_path = "${folder}"
plugin_paths = { "${folder}" }
log = { error = "*console" }
interfaces = { "127.0.0.1" }
c2s_ports = {}
http_ports = { ${port} }
http_interfaces = { "127.0.0.1" }
https_ports = {}
modules_enabled = { "roster", "saslauth", "disco", "ping", "carbons", "offline", "bosh", "websocket", "bench" }
modules_disabled = { "s2s" }
authentication = "bench"
allow_unencrypted_plain_auth = true
consider_bosh_secure = true
consider_websocket_secure = true
c2s_require_encryption = false
http_default_host = "localhost"
VirtualHost "localhost"
`,
  );
  return { child: new Child('prosody', findCommand('prosody'), ['-F', '--config', config], { cores }), groupAddress: 'localhost/all' };
});

export const ejabberd = server('ejabberd', 'ejabberdctl', ({ folder, port, cores }) => {
  const config = join(folder, 'ejabberd.yml');
  // JSON is YAML, too.
  const settings = {
    hosts: ['localhost'],
    loglevel: 'error',
    listen: [{ module: 'ejabberd_http', ip: '127.0.0.1', port, request_handlers: { '/http-bind': 'mod_bosh', '/xmpp-websocket': 'ejabberd_http_ws' } }],
    // Everybody may log in with any password.
    auth_method: ['anonymous'],
    anonymous_protocol: 'login_anon',
    modules: {
      mod_adhoc: {},
      mod_announce: { access: 'all' },
      mod_bosh: {},
      mod_carboncopy: {},
      mod_disco: {},
      mod_offline: {},
      mod_ping: {},
      mod_roster: {},
      mod_stream_mgmt: {},
    },
  };
  writeFileSync(config, JSON.stringify(settings));
  // The control script knows where its package keeps Erlang and the modules; all else that it does is of no use here.
  const control = readFileSync(findCommand('ejabberdctl'), 'utf8');
  const setting = (name) => new RegExp(`^${name}=["']?([^"'\\n]+)["']?$`, 'm').exec(control)?.[1];
  const args = ['+S', '1:1', '+sbwt', 'none', '+P', '250000', '-noinput', '-mnesia', 'dir', `"${join(folder, 'spool')}"`, '-s', 'ejabberd'];
  const env = {
    PATH: process.env.PATH,
    HOME: folder,
    ERL_LIBS: setting('ERL_LIBS'),
    ERL_MAX_PORTS: '65536',
    ERL_CRASH_DUMP_BYTES: '0',
    EJABBERD_CONFIG_PATH: config,
    EJABBERD_LOG_PATH: join(folder, 'ejabberd.log'),
  };
  return { child: new Child('ejabberd', setting('ERL') ?? 'erl', args, { cores, cwd: folder, env }), groupAddress: 'localhost/announce/online' };
});
