import { type Browser, chromium } from 'playwright-core';
import { requireTool } from './tools.mjs';

/** Headless, and silent towards the network but for what the test opens. */
const FLAGS = [
  '--headless',
  '--no-sandbox',
  '--disable-gpu',
  '--disable-quic',
  '--disable-dev-shm-usage',
  '--no-first-run',
  '--disable-background-networking',
  '--disable-component-update',
  '--disable-sync',
];

/** Starts the machine's own Chromium. */
export async function startChromium(): Promise<Browser> {
  return await chromium.launch({ executablePath: requireTool('chromium'), args: FLAGS, headless: true });
}
