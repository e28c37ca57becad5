/** Targets that are Node programs. */
import { join } from 'node:path';
import process from 'node:process';
import { pathToFileURL } from 'node:url';
import { Child } from '../child.mjs';
import { ROOT } from '../paths.mjs';

const INSIDE = pathToFileURL(join(ROOT, 'bench', 'inside.mjs')).href;

/**
 * @param looked whether `inside.mjs` is loaded into it
 * @returns the process and the port that it says it listens on
 */
export async function startNode(name, args, { cores, looked, env = {} }) {
  const node = [...(looked ? ['--import', INSIDE] : []), ...args];
  const child = new Child(name, process.execPath, node, { cores, ipc: looked, cwd: ROOT, env: { ...process.env, ...env } });
  const line = await child.line((text) => /listening on .*:\d+/.test(text));
  return { child, port: Number(/:(\d+)\/?$/.exec(line)[1]) };
}
