/** The files of a client certificate as a task keeps them. Pure: whether they belong together TLS will tell. */
import { NighthaulError } from '../../shared/errors.ts'
import type { ClientCertificate } from '../../shared/schemas.ts'

const CERTIFICATE = '-----BEGIN CERTIFICATE-----'
const KEY = /-----BEGIN (?:[A-Z]+ )?PRIVATE KEY-----|-----BEGIN ENCRYPTED PRIVATE KEY-----/

/**
 * PEM or PKCS #12 (told by what is in it). `key`: null where the key stands in the certificate's own file. Throws
 * `invalid_input` where there is no key.
 */
export function clientCertificateOf(
  certificate: Uint8Array,
  key: Uint8Array | null,
  passphrase: string | undefined,
): ClientCertificate {
  const secret = passphrase === undefined ? {} : { passphrase }
  const certPem = Buffer.from(certificate).toString('latin1')
  if (!certPem.includes(CERTIFICATE)) return { pfxBase64: Buffer.from(certificate).toString('base64'), ...secret }
  const keyPem = key === null ? certPem : Buffer.from(key).toString('latin1')
  if (KEY.test(keyPem)) return { certPem, keyPem, ...secret }
  throw new NighthaulError(
    'invalid_input',
    'The client certificate comes without its private key. Nothing was started; give the key’s file (PEM) as well.',
  )
}

/** `FILE` or `FILE:PASSPHRASE`, as curl writes it; a drive letter is part of the file's name. */
export function splitCertificateFlag(text: string): { path: string; passphrase: string | undefined } {
  const [, path = text, passphrase] = /^((?:[A-Za-z]:(?=[\\/]))?[^:]*)(?::(.*))?$/s.exec(text) ?? []
  return { path, passphrase }
}
