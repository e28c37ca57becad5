import { BadRequestException, UnsupportedMediaTypeException } from '@nestjs/common';

/** What somebody asks for, in a query or in JSON, read member by member. Whatever is wrong is a 400 that names the member. */
export class Parameters {
  private readonly values: ReadonlyMap<string, unknown>;

  /** @param known the members that there can be: any other is a mistake that would go unnoticed */
  constructor(input: unknown, known: readonly string[]) {
    if (typeof input !== 'object' || input === null || Array.isArray(input)) throw new BadRequestException('a JSON object is expected');
    this.values = new Map(Object.entries(input));
    for (const name of this.values.keys()) {
      if (!known.includes(name)) throw new BadRequestException(`${show(name)} is unknown; allowed: ${known.join(', ') || 'nothing'}`);
    }
  }

  /** @returns undefined where it is not there, or empty */
  text(name: string, most = 3071): string | undefined {
    const value = this.values.get(name);
    if (value === undefined || value === null || value === '') return undefined;
    if (typeof value !== 'string' || value.length > most) throw new BadRequestException(`${name}: a text of at most ${most} characters`);
    return value;
  }

  required(name: string, most?: number): string {
    const value = this.text(name, most);
    if (value === undefined) throw new BadRequestException(`${name} is missing`);
    return value;
  }

  integer(name: string, standard: number, min: number, max: number): number {
    const value = this.values.get(name);
    if (value === undefined) return standard;
    // In a query everything is text.
    const number = typeof value === 'string' && /^\d{1,15}$/.test(value) ? Number(value) : value;
    if (!Number.isInteger(number) || (number as number) < min || (number as number) > max) {
      throw new BadRequestException(`${name}: a whole number from ${min} to ${max}`);
    }
    return number as number;
  }

  choice<const T extends string>(name: string, values: readonly T[]): T | undefined {
    const value = this.text(name);
    if (value !== undefined && !values.includes(value as T)) throw new BadRequestException(`${name}: ${values.join(' or ')}`);
    return value as T | undefined;
  }
}

/**
 * A web page of somebody else can make a browser send a form, with the cookies of an operator, but not JSON.
 * @throws 415
 */
export function requireJson(contentType: string | undefined): void {
  if (!/^application\/json\s*(?:;|$)/i.test(contentType ?? '')) {
    throw new UnsupportedMediaTypeException('Content-Type: application/json is expected');
  }
}

function show(name: string): string {
  return JSON.stringify(name.slice(0, 64));
}
