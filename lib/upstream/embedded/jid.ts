/** Bytes that each part of an address may have (RFC 7622, section 3.1). */
const MAX_PART_BYTES = 1023;
/** What no localpart may hold (RFC 7622, section 3.3.1), white space and control characters with it. */
// eslint-disable-next-line no-control-regex
const FORBIDDEN_LOCAL = /["&'/:<>@\s\u0000-\u001f\u007f]/u;
// eslint-disable-next-line no-control-regex
const FORBIDDEN_DOMAIN = /["&'/<>@\s\u0000-\u001f\u007f]/u;
// eslint-disable-next-line no-control-regex
const FORBIDDEN_RESOURCE = /[\u0000-\u001f\u007f]/u;
/** Addresses that need no normalisation, which is nearly all. */
const PLAIN_LOCAL = /^[a-z0-9._-]+$/;
const PLAIN_DOMAIN = /^[a-z0-9.-]+$/;

/** An XMPP address (RFC 7622), normalised: two that mean the same are equal as strings. Immutable. */
export class Jid {
  /** `local@domain`, or `domain`. */
  readonly bare: string;
  private written: string | undefined;

  private constructor(
    /** '' for an address without one. */
    readonly local: string,
    readonly domain: string,
    /** '' for a bare address. */
    readonly resource: string,
    bare?: string,
  ) {
    this.bare = bare ?? (local === '' ? domain : `${local}@${domain}`);
  }

  /** @returns undefined for what is no address (`jid-malformed`) */
  static parse(text: string): Jid | undefined {
    const slash = text.indexOf('/');
    const bare = slash < 0 ? text : text.slice(0, slash);
    const at = bare.indexOf('@');
    if (at === 0 || slash === text.length - 1) return undefined;
    const local = at < 0 ? '' : normalLocal(bare.slice(0, at));
    const domain = normalDomain(bare.slice(at + 1));
    const resource = slash < 0 ? '' : normalResource(text.slice(slash + 1));
    if (local === undefined || domain === undefined || resource === undefined) return undefined;
    return new Jid(local, domain, resource);
  }

  /** Of parts as somebody gave them. @returns undefined when one is none */
  static of(local: string, domain: string, resource = ''): Jid | undefined {
    const normalLocalpart = local === '' ? '' : normalLocal(local);
    const normalDomainpart = normalDomain(domain);
    const normalResourcepart = resource === '' ? '' : normalResource(resource);
    if (normalLocalpart === undefined || normalDomainpart === undefined || normalResourcepart === undefined) {
      return undefined;
    }
    return new Jid(normalLocalpart, normalDomainpart, normalResourcepart);
  }

  get isBare(): boolean {
    return this.resource === '';
  }

  /** The same account with another resource, which is normal already; '' for the bare address. */
  withResource(resource: string): Jid {
    return resource === this.resource ? this : new Jid(this.local, this.domain, resource, this.bare);
  }

  toString(): string {
    return (this.written ??= this.resource === '' ? this.bare : `${this.bare}/${this.resource}`);
  }
}

function normalLocal(text: string): string | undefined {
  if (PLAIN_LOCAL.test(text) && text.length <= MAX_PART_BYTES) return text;
  const normal = text.normalize('NFKC').toLowerCase();
  return normal === '' || FORBIDDEN_LOCAL.test(normal) || tooLong(normal) ? undefined : normal;
}

function normalDomain(text: string): string | undefined {
  if (PLAIN_DOMAIN.test(text) && text.length <= MAX_PART_BYTES && !text.endsWith('.')) return text;
  // A trailing dot is no part of the domain (RFC 7622, section 3.2).
  const normal = text.normalize('NFKC').toLowerCase().replace(/\.$/, '');
  return normal === '' || FORBIDDEN_DOMAIN.test(normal) || tooLong(normal) ? undefined : normal;
}

/** @returns undefined for what is no resourcepart */
export function normalResource(text: string): string | undefined {
  const normal = text.normalize('NFC');
  return normal === '' || FORBIDDEN_RESOURCE.test(normal) || tooLong(normal) ? undefined : normal;
}

function tooLong(text: string): boolean {
  return text.length > MAX_PART_BYTES || Buffer.byteLength(text) > MAX_PART_BYTES;
}
