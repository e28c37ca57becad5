import { HttpStatus } from '@nestjs/common';
import { createHash } from 'node:crypto';
import { readdirSync, readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { dirname, extname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import type { Reply } from '../reply.js';

/** A file of the demo page, held in memory: there are few, and no request can name any other. */
export interface Asset {
  readonly type: string;
  readonly etag: string;
  readonly content: Buffer;
}

const TYPES: Readonly<Record<string, string>> = {
  '.html': 'text/html; charset=utf-8',
  '.js': 'text/javascript; charset=utf-8',
  '.css': 'text/css; charset=utf-8',
  '.svg': 'image/svg+xml; charset=utf-8',
  '.map': 'application/json; charset=utf-8',
};

/** The demo page's files by the path that serves them, `''` being the page itself. */
export function loadAssets(): ReadonlyMap<string, Asset> {
  const folder = fileURLToPath(new URL('../../public/', import.meta.url));
  const assets = new Map<string, Asset>();
  for (const name of readdirSync(folder)) {
    if (TYPES[extname(name)]) assets.set(name === 'index.html' ? '' : name, read(join(folder, name)));
  }
  const strophe = stropheBuild();
  assets.set('strophe.js', read(strophe));
  // The build ends with the name of its source map: developer tools ask for it.
  assets.set('strophe.esm.js.map', read(`${strophe}.map`));
  for (const [name, file] of clientBuild()) assets.set(name, read(file));
  return assets;
}

/** The package's own plugin for Strophe: ES modules that import nothing but each other, with their source maps. */
function clientBuild(): [name: string, file: string][] {
  const folder = dirname(createRequire(import.meta.url).resolve('nestjs-xmpp/client'));
  const names = readdirSync(folder).filter((name) => TYPES[extname(name)]);
  return names.map((name) => [`client/${name}`, join(folder, name)]);
}

/** Strophe's build for browsers, as its package.json names it: Node's own resolution would find the build for Node. */
function stropheBuild(): string {
  const manifest = createRequire(import.meta.url).resolve('strophe.js/package.json');
  const { exports } = JSON.parse(readFileSync(manifest, 'utf8')) as { exports: { '.': { browser: { import: string } } } };
  return join(dirname(manifest), exports['.'].browser.import);
}

/** The files of the administration's page by the path below it that serves them, `''` being the page itself. */
export function loadAdminAssets(): ReadonlyMap<string, Asset> {
  const folder = fileURLToPath(new URL('../../public/admin/', import.meta.url));
  return new Map(readdirSync(folder).map((name) => [name === 'index.html' ? '' : name, read(join(folder, name))]));
}

/** Nothing inline, nothing from elsewhere, no frames. `'self'` covers the WebSocket too. */
const POLICY = [
  "default-src 'none'",
  "script-src 'self'",
  "style-src 'self'",
  "img-src 'self'",
  "connect-src 'self'",
  "base-uri 'none'",
  "form-action 'none'",
  "frame-ancestors 'none'",
].join('; ');

/** @param known the `If-None-Match` of the request */
export function sendAsset(asset: Asset, known: string | undefined, reply: Reply): void {
  reply
    .header('Content-Type', asset.type)
    .header('X-Content-Type-Options', 'nosniff')
    .header('Content-Security-Policy', POLICY)
    .header('Referrer-Policy', 'no-referrer')
    .header('Cache-Control', 'no-cache') // kept by the browser, asked for anew by its ETag
    .header('ETag', asset.etag);
  if (known?.includes(asset.etag)) reply.status(HttpStatus.NOT_MODIFIED).send();
  else reply.status(HttpStatus.OK).send(asset.content);
}

function read(file: string): Asset {
  const content = readFileSync(file);
  const etag = `"${createHash('sha256').update(content).digest('base64url').slice(0, 22)}"`;
  return { type: TYPES[extname(file)]!, etag, content };
}
