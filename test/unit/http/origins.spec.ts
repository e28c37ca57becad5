import type { IncomingMessage, ServerResponse } from 'node:http';
import { Origins } from '../../../lib/http/index.js';

const APP = 'https://app.example.org';

function headers(origins: Origins, origin: string | undefined, before: Record<string, string> = {}): Record<string, string> {
  const set = new Map(Object.entries(before));
  const response = {
    setHeader: (name: string, value: string) => set.set(name, value),
    getHeader: (name: string) => set.get(name),
  } as unknown as ServerResponse;
  origins.setHeaders({ headers: { origin } } as IncomingMessage, response);
  return Object.fromEntries(set);
}

const admits = (origins: Origins, origin?: string): boolean => origins.admits({ headers: { origin } } as IncomingMessage);

describe('Origins (R15, C26)', () => {
  const any = new Origins(['*']);
  const listed = new Origins([APP, 'capacitor://localhost']);

  it('admits every page where all are allowed', () => {
    expect([admits(any), admits(any, 'https://evil.example'), admits(any, 'null')]).toEqual([true, true, true]);
  });

  it('admits listed pages only, and what comes from no page', () => {
    expect([admits(listed), admits(listed, APP), admits(listed, 'capacitor://localhost')]).toEqual([true, true, true]);
    for (const origin of ['https://evil.example', 'http://app.example.org', `${APP}:444`, `${APP}.evil.example`, 'null', '', '*', `${APP}/`]) {
      expect(admits(listed, origin)).toBe(false);
    }
  });

  it('answers * without credentials', () => {
    expect(headers(any, APP)).toEqual({ 'Access-Control-Allow-Origin': '*' });
    expect(headers(any, undefined)).toEqual({ 'Access-Control-Allow-Origin': '*' });
    expect(headers(new Origins([APP, '*']), APP)).toEqual({ 'Access-Control-Allow-Origin': '*' });
  });

  it('echoes a listed origin, with credentials', () => {
    expect(headers(listed, APP)).toEqual({
      'Vary': 'Origin',
      'Access-Control-Allow-Origin': APP,
      'Access-Control-Allow-Credentials': 'true',
    });
  });

  it('tells others nothing, but caches that the answer depends on the origin', () => {
    expect(headers(listed, 'https://evil.example')).toEqual({ Vary: 'Origin' });
    expect(headers(listed, undefined)).toEqual({ Vary: 'Origin' });
  });

  it('leaves what else the answer depends on', () => {
    expect(headers(listed, APP, { Vary: 'Host, Accept' })['Vary']).toBe('Host, Accept, Origin');
    expect(headers(listed, APP, { Vary: 'accept, origin' })['Vary']).toBe('accept, origin');
  });

  it('R15: vouches for pages that are listed, or of the host itself, and never for * or for a page without TLS', () => {
    const asked = (origin: string | undefined, secure = false, more: IncomingMessage['headers'] = {}, allowed = ['*', 'https://listed.example']) =>
      new Origins(allowed).vouchFor({ headers: { host: 'chat.example', ...(origin !== undefined && { origin }), ...more } } as IncomingMessage, secure);
    expect(asked('https://listed.example')).toBe(true);
    expect(asked('https://chat.example')).toBe(true);
    expect(asked('https://chat.example', true)).toBe(true);
    expect(asked('http://chat.example')).toBe(true);
    expect(asked('http://chat.example', true)).toBe(false);
    expect(asked('https://chat.example:8443')).toBe(false);
    for (const other of ['https://evil.example', 'null', '*', 'nonsense', 'file://', 'https://chat.example.evil.example']) expect(asked(other)).toBe(false);
    expect(asked(undefined)).toBe(true);
    expect(asked(undefined, true, { 'sec-fetch-site': 'cross-site' })).toBe(false);
  });
});
