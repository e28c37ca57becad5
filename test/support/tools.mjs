import { accessSync, constants } from 'node:fs';
import { delimiter, join } from 'node:path';

/** The programs that the tests use besides Node: the Debian package and the names it may have on a PATH. */
export const TOOLS = [
  { package: 'git', commands: ['git'] },
  { package: 'python3', commands: ['python3'] },
  { package: 'openssl', commands: ['openssl'] },
  { package: 'prosody', commands: ['prosody'] },
  { package: 'ejabberd', commands: ['ejabberdctl'] },
  { package: 'redis-server', commands: ['redis-server'] },
  { package: 'nginx', commands: ['nginx'] },
  { package: 'haproxy', commands: ['haproxy'] },
  { package: 'chromium', commands: ['chromium', 'chromium-browser', 'google-chrome-stable', 'google-chrome'] },
];

/** The path of the first of these commands that is on the PATH, or among the servers of a Debian machine. */
export function findCommand(...commands) {
  for (const command of commands) {
    for (const directory of [...(process.env.PATH ?? '').split(delimiter), '/usr/sbin']) {
      if (directory === '') continue;
      const path = join(directory, command);
      try {
        accessSync(path, constants.X_OK);
        return path;
      } catch {
        // not here
      }
    }
  }
  return undefined;
}

/** The path of a program of {@link TOOLS}, by its package; throws with what to do when it is missing. */
export function requireTool(name) {
  const tool = TOOLS.find((candidate) => candidate.package === name);
  if (!tool) throw new Error(`${name} is not one of the tools of the tests`);
  const path = findCommand(...tool.commands);
  if (path === undefined) {
    throw new Error(`${name} is not on the PATH: install it, or let "npm test" do so as root on Debian`);
  }
  return path;
}
