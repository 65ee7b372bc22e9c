/** The flags that say how a file is reached: method, headers, logins, certificates, proxy, time limits. */
import { homedir } from 'node:os'
import { join } from 'node:path'
import { type Command, Option } from 'commander'
import { NighthaulError } from '../../shared/errors.ts'
import { METHODS, MOST_BODY_BYTES, type TaskOptions } from '../../shared/schemas.ts'
import { clientCertificateOf, splitCertificateFlag } from '../engine/client-certificate.ts'
import { readNamedBytes, readNamedFile, repeated, valued } from './flags.ts'
import { parseBearer, parseHeader, parseProxy, parseSeconds, parseUser } from './parse.ts'
import { callerPath } from './terminal.ts'

/** What commander hands over for them, already parsed. */
export interface AccessFlags {
  method?: TaskOptions['method']
  data?: string
  header?: [string, string][]
  user?: { user: string; password: string }
  digest?: true
  bearer?: string
  netrc?: true
  netrcFile?: string
  cookies?: string
  proxy?: string
  ca?: string
  cert?: string
  key?: string
  pass?: string
  timeout?: number
  connectTimeout?: number
  headersTimeout?: number
  stallTimeout?: number
}

export function headerOption(): Option {
  return repeated('--header <line>', "a header to send, 'Name: value' (may be repeated)", parseHeader)
}

export function userOption(): Option {
  return valued('--user <user:password>', 'credentials for the server', parseUser)
}

export function caOption(): Option {
  return new Option('--ca <file>', 'certificate authorities to trust as well (PEM)')
}

export function addAccessOptions(command: Command): Command {
  return command
    .addOption(new Option('--method <method>', 'the request to make (GET, with --data POST)').choices(METHODS))
    .option('--data <text|@file>', 'body of the request, or @ and the file that holds it')
    .addOption(headerOption())
    .addOption(userOption())
    .option('--digest', 'prove the password (Digest) and never send it')
    .addOption(valued('--bearer <token>', 'a token for the server', parseBearer))
    .option('--netrc', 'take logins from ~/.netrc (or the file that NETRC names)')
    .option('--netrc-file <file>', 'take logins from this netrc file')
    .option('--cookies <file>', 'cookies to send (Netscape format, as browsers and curl export them)')
    .addOption(valued('--proxy <url>', 'http://, https:// or socks5:// proxy', parseProxy))
    .addOption(caOption())
    .option('--cert <file[:passphrase]>', 'client certificate (PEM, or PKCS #12 with its key)')
    .option('--key <file>', 'private key of the client certificate (PEM)')
    .option('--pass <passphrase>', 'passphrase of that key')
    .addOption(valued('--timeout <seconds>', 'for connecting, for headers and for silence', parseSeconds))
    .addOption(valued('--connect-timeout <seconds>', 'for connecting', parseSeconds))
    .addOption(valued('--headers-timeout <seconds>', 'from the request to its answer', parseSeconds))
    .addOption(valued('--stall-timeout <seconds>', 'without a byte', parseSeconds))
}

/** The task options that these flags ask for; fields that were not given are left out. Throws `usage`. */
export function readAccessOptions(flags: AccessFlags): TaskOptions {
  const body = flags.data === undefined ? undefined : readBody(flags.data)
  return given<TaskOptions>({
    method: flags.method ?? (body === undefined ? undefined : 'POST'),
    body,
    headers: flags.header,
    user: flags.user?.user,
    password: flags.user?.password,
    auth: flags.digest && 'digest',
    bearer: flags.bearer,
    netrcFile: readNetrcFlag(flags),
    cookies: flags.cookies === undefined ? undefined : readNamedFile('--cookies', flags.cookies),
    proxy: flags.proxy,
    caPem: flags.ca === undefined ? undefined : readCertificates(flags.ca),
    clientCertificate: readClientCertificate(flags),
    timeoutMs: flags.timeout,
    connectTimeoutMs: flags.connectTimeout,
    headersTimeoutMs: flags.headersTimeout,
    stallTimeoutMs: flags.stallTimeout,
  })
}

/** The fields that are not undefined. */
export function given<T extends object>(fields: T): T {
  return Object.fromEntries(Object.entries(fields).filter(([, value]) => value !== undefined)) as T
}

function readBody(text: string): TaskOptions['body'] {
  const bytes = text.startsWith('@') ? readNamedBytes('--data', text.slice(1)) : Buffer.from(text, 'utf8')
  if (bytes.length > MOST_BODY_BYTES) {
    throw new NighthaulError('usage', `--data: a body holds at most 1 MiB, and this one has ${bytes.length} bytes`)
  }
  return text.startsWith('@') ? { base64: bytes.toString('base64') } : { text }
}

function readNetrcFlag(flags: AccessFlags): string | undefined {
  if (flags.netrcFile !== undefined) return callerPath(flags.netrcFile)
  if (!flags.netrc) return undefined
  const { NETRC } = process.env
  return NETRC ? callerPath(NETRC) : join(homedir(), process.platform === 'win32' ? '_netrc' : '.netrc')
}

function readCertificates(path: string): string {
  const pem = readNamedFile('--ca', path)
  if (pem.includes('-----BEGIN CERTIFICATE-----')) return pem
  throw new NighthaulError('usage', `--ca: “${path}” holds no certificate in PEM form (-----BEGIN CERTIFICATE-----)`)
}

function readClientCertificate({ cert, key, pass }: AccessFlags): TaskOptions['clientCertificate'] {
  if (cert === undefined) {
    if (key === undefined && pass === undefined) return undefined
    throw new NighthaulError('usage', '--key and --pass belong to a certificate: name it with --cert')
  }
  const { path, passphrase } = splitCertificateFlag(cert)
  const certificate = readNamedBytes('--cert', path)
  return clientCertificateOf(certificate, key === undefined ? null : readNamedBytes('--key', key), pass ?? passphrase)
}
