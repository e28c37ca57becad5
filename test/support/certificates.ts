import { execFile } from 'node:child_process';
import { mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { requireTool } from './tools.mjs';

const run = promisify(execFile);

/** A certificate and its private key, as paths of PEM files. */
export interface Certificate {
  readonly certFile: string;
  readonly keyFile: string;
}

/** A certificate authority that lives as long as one test run. */
export interface CertificateAuthority extends Certificate {
  /** Signs a server certificate for DNS names (the first is also its common name). */
  issue(names: readonly string[]): Promise<Certificate>;
}

const NEW_KEY = ['-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:prime256v1', '-nodes'];

/**
 * Makes a fresh authority in `directory`, which is created where it is missing. Needs the `openssl` command.
 *
 * @param days that its certificates are valid
 */
export async function createAuthority(directory: string, name = 'nestjs-xmpp test CA', days = 2): Promise<CertificateAuthority> {
  await mkdir(directory, { recursive: true });
  const at = (file: string): string => join(directory, file);
  const certFile = at('ca.crt');
  const keyFile = at('ca.key');
  const subject = ['-subj', `/CN=${name}`];
  const extensions = ['-addext', 'basicConstraints=critical,CA:TRUE', '-addext', 'keyUsage=critical,keyCertSign'];
  await openssl(['req', '-x509', ...NEW_KEY, '-days', String(days), ...subject, ...extensions, '-keyout', keyFile, '-out', certFile]);

  let issued = 0;
  async function issue(names: readonly string[]): Promise<Certificate> {
    const first = names[0];
    if (first === undefined) throw new Error('a certificate needs at least one name');
    const stem = `leaf-${++issued}`;
    const leaf = { certFile: at(`${stem}.crt`), keyFile: at(`${stem}.key`) };
    const request = at(`${stem}.csr`);
    const extensionFile = at(`${stem}.ext`);
    await writeFile(
      extensionFile,
      [
        `subjectAltName=${names.map((dns) => `DNS:${dns}`).join(',')}`,
        'basicConstraints=critical,CA:FALSE',
        'keyUsage=critical,digitalSignature',
        'extendedKeyUsage=serverAuth',
      ].join('\n'),
    );
    await openssl(['req', ...NEW_KEY, '-subj', `/CN=${first}`, '-keyout', leaf.keyFile, '-out', request]);
    const signer = ['-CA', certFile, '-CAkey', keyFile, '-set_serial', `0x${Date.now().toString(16)}${stem.length}${issued}`];
    await openssl(['x509', '-req', '-in', request, ...signer, '-days', String(days), '-extfile', extensionFile, '-out', leaf.certFile]);
    return leaf;
  }
  return { certFile, keyFile, issue };
}

async function openssl(args: readonly string[]): Promise<void> {
  try {
    await run(requireTool('openssl'), args);
  } catch (error) {
    const { stderr } = error as { stderr?: string };
    throw new Error(`openssl ${args[0]} failed: ${stderr ?? String(error)}`, { cause: error });
  }
}
