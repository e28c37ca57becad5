import { isNativeError } from 'node:util/types';

const MAX_LENGTH = 300;
/** What OpenSSL finds wrong with a chain of certificates, as Node names it. */
const CHAIN_ERROR = /^(?:CERT_|CRL_|UNABLE_TO_|DEPTH_ZERO_|SELF_SIGNED_|INVALID_CA$|INVALID_PURPOSE$|PATH_LENGTH_|ERROR_IN_CERT_|HOSTNAME_MISMATCH$)/;

/** Says in one line, for the log, why a connection failed. */
export function describeFailure(error: unknown): string {
  if (!isNativeError(error)) return oneLine(String(error));
  const { errors } = error as Partial<AggregateError>;
  // Several addresses of one name were tried.
  if (errors && errors.length > 0) return oneLine([...new Set(errors.map(describeFailure))].join(', '));
  const { code } = error as NodeJS.ErrnoException;
  if (code === 'ERR_TLS_CERT_ALTNAME_INVALID') {
    return oneLine(`certificate refused: ${(error as { reason?: string }).reason ?? error.message}`);
  }
  if (code !== undefined && CHAIN_ERROR.test(code)) return oneLine(`certificate refused: ${error.message} (${code})`);
  return oneLine(error.message || code || error.name);
}

/** Text from outside, made fit for one line of a log. */
export function oneLine(text: string): string {
  const line = text.replace(/[\p{Cc}\p{Zl}\p{Zp}\s]+/gu, ' ').trim();
  return line.length > MAX_LENGTH ? `${line.slice(0, MAX_LENGTH - 1)}…` : line;
}
