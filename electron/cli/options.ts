/** The flags of `get` and `add`: how commander hears them and what they mean to the engine. */
import { readFileSync, statSync } from 'node:fs'
import { basename, dirname, resolve } from 'node:path'
import { type Command, Option } from 'commander'
import { NighthaulError } from '../../shared/errors.ts'
import {
  type Checksum,
  DEFAULT_SETTINGS,
  ON_CHANGE,
  ON_CONFLICT,
  type SettingsPatch,
  type TaskOptions,
} from '../../shared/schemas.ts'
import {
  parseChecksum,
  parseHeader,
  parseHostRate,
  parseProxy,
  parseRate,
  parseSeconds,
  parseSpacing,
  parseUrl,
  parseUrlList,
  parseUser,
  parseWhole,
} from './parse.ts'
import { callerFolder, callerPath, readStandardInput } from './terminal.ts'

/** What commander hands over for the flags below, already parsed. */
export interface TransferFlags {
  input?: string
  output?: string
  directory?: string
  connections?: number
  limitRate?: number
  checksum?: Checksum
  header?: [string, string][]
  user?: { user: string; password: string }
  cookies?: string
  proxy?: string
  ca?: string
  onConflict?: TaskOptions['onConflict']
  onChange?: TaskOptions['onChange']
  durable?: true
  retries?: number
  timeout?: number
  acceptHtml?: true
}

export interface GetFlags extends TransferFlags {
  jobs?: number
  maxHostConnections?: number
  hostRate?: number
  hostSpacing?: number
  json?: true
}

/** An option whose value `parse` reads; what is wrong with it is said with the flag's name. */
export function valued(flags: string, description: string, parse: (text: string) => unknown): Option {
  const option = new Option(flags, description)
  return option.argParser((text: string) => named(option, () => parse(text)))
}

function named<T>(option: Option, read: () => T): T {
  try {
    return read()
  } catch (error) {
    if (!(error instanceof NighthaulError)) throw error
    throw new NighthaulError('usage', `${option.long ?? option.short}: ${error.message}`)
  }
}

/** Adds the flags that `get` and `add` share. */
export function addTransferOptions(command: Command): Command {
  const header = new Option('--header <line>', "a header to send, 'Name: value' (may be repeated)")
  return command
    .option('-i, --input <file>', 'read URLs from a file, one a line; - for standard input')
    .option('-o, --output <file>', 'save as this file')
    .option('-d, --directory <dir>', 'folder to save in')
    .addOption(valued('-x, --connections <n>', 'connections per download', (text) => parseWhole(text, 1, 64)))
    .addOption(valued('--limit-rate <rate>', 'bytes a second: 500K, 2M, 1.5M', parseRate))
    .addOption(valued('--checksum <algorithm=hex>', 'expected digest, such as sha-256=…', parseChecksum))
    .addOption(
      header.argParser((text, before: [string, string][] = []) => named(header, () => [...before, parseHeader(text)])),
    )
    .addOption(valued('--user <user:password>', 'credentials for the server', parseUser))
    .option('--cookies <file>', 'cookies to send (Netscape format, as browsers and curl export them)')
    .addOption(valued('--proxy <url>', 'http://, https:// or socks5:// proxy', parseProxy))
    .option('--ca <file>', 'certificate authorities to trust as well (PEM)')
    .addOption(new Option('--on-conflict <how>', 'when a file of that name exists').choices(ON_CONFLICT))
    .addOption(new Option('--on-change <how>', 'when the remote file has changed since').choices(ON_CHANGE))
    .option('--durable', 'fsync file and folder before the file appears under its name')
    .addOption(valued('--retries <n>', 'tries after a failure without progress', (text) => parseWhole(text, 0, 10_000)))
    .addOption(valued('--timeout <seconds>', 'for connecting, for headers and for silence', parseSeconds))
    .option('--accept-html', 'save a web page even where the link names another kind of file')
}

/** Adds the flags that concern this one run of `get`. */
export function addSessionOptions(command: Command): Command {
  return command
    .addOption(valued('-j, --jobs <n>', 'downloads at once', (text) => parseWhole(text, 1, 100)))
    .addOption(valued('--max-host-connections <n>', 'connections to one host', (text) => parseWhole(text, 1, 64)))
    .addOption(valued('--host-rate <n>', 'requests a second to one host', parseHostRate))
    .addOption(valued('--host-spacing <seconds>', 'the least time between two requests to one host', parseSpacing))
    .option('--json', 'print JSON, one object a line')
}

/** The URLs of the command line and of `-i`, all valid, each once. Throws `usage`, `invalid_url`, `unsupported_scheme`. */
export async function readUrls(args: readonly string[], flags: TransferFlags): Promise<string[]> {
  const urls = args.map((argument) => parseUrl(argument))
  if (flags.input === '-') urls.push(...parseUrlList(await readStandardInput(), 'standard input'))
  else if (flags.input !== undefined) urls.push(...parseUrlList(readNamedFile('-i', flags.input), flags.input))
  if (urls.length === 0) {
    throw new NighthaulError('usage', 'There is no URL: give one or more, or a file of them with -i FILE')
  }
  return [...new Set(urls)]
}

function readNamedFile(flag: string, path: string): string {
  try {
    return readFileSync(callerPath(path), 'utf8')
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException
    const reason = code === 'ENOENT' ? 'does not exist' : code === 'EISDIR' ? 'is a folder' : `cannot be read (${code})`
    throw new NighthaulError('usage', `${flag}: the file “${path}” ${reason}`, {}, { cause: error })
  }
}

/** The task options that the flags ask for. Throws `usage`. */
export function readTaskOptions(flags: TransferFlags): TaskOptions {
  const options: TaskOptions = {
    connections: flags.connections,
    headers: flags.header,
    user: flags.user?.user,
    password: flags.user?.password,
    cookies: flags.cookies === undefined ? undefined : readNamedFile('--cookies', flags.cookies),
    proxy: flags.proxy,
    caPem: flags.ca === undefined ? undefined : readCertificates(flags.ca),
    checksum: flags.checksum,
    onConflict: flags.onConflict,
    onChange: flags.onChange,
    retries: flags.retries,
    timeoutMs: flags.timeout,
    acceptHtml: flags.acceptHtml,
  }
  return Object.fromEntries(Object.entries(options).filter(([, value]) => value !== undefined))
}

function readCertificates(path: string): string {
  const pem = readNamedFile('--ca', path)
  if (pem.includes('-----BEGIN CERTIFICATE-----')) return pem
  throw new NighthaulError('usage', `--ca: “${path}” holds no certificate in PEM form (-----BEGIN CERTIFICATE-----)`)
}

/**
 * The settings of this one run. `-x` is a person's word for this run: where no bound per host is given with it, it
 * raises the usual one, as in aria2.
 */
export function readSessionSettings(flags: GetFlags): SettingsPatch {
  const raised = Math.max(flags.connections ?? 0, DEFAULT_SETTINGS.connectionsPerHost)
  const perHost = flags.maxHostConnections ?? (flags.connections === undefined ? undefined : raised)
  return {
    durability: flags.durable ? 'strict' : 'background',
    ...(flags.jobs !== undefined && { downloadsAtOnce: flags.jobs }),
    ...(flags.connections !== undefined && { connectionsPerDownload: flags.connections }),
    ...(perHost !== undefined && { connectionsPerHost: perHost }),
    ...(flags.hostRate !== undefined && { requestsPerSecondPerHost: flags.hostRate }),
    ...(flags.hostSpacing !== undefined && { requestSpacingMsPerHost: flags.hostSpacing }),
    ...(flags.limitRate !== undefined && { limitBytesPerSecond: flags.limitRate }),
  }
}

/** Where `-o FILE` and `-d DIR` say the file goes: an absolute folder and, with `-o`, a name. Throws `usage`. */
export function readTarget(flags: TransferFlags, urlCount: number): { folder: string; filename?: string } {
  if (flags.directory === '') throw new NighthaulError('usage', '-d: the name of the folder is missing')
  if (flags.output === '') throw new NighthaulError('usage', '-o: the name of the file is missing')
  const folder = flags.directory === undefined ? callerFolder() : callerPath(flags.directory)
  if (isFolder(folder) === false) {
    throw new NighthaulError('usage', `-d: “${flags.directory}” is a file, not a folder`)
  }
  if (flags.output === undefined) return { folder }
  if (urlCount > 1) {
    throw new NighthaulError('usage', `-o names one file, but there are ${urlCount} URLs: use -d DIR for several`)
  }
  const path = resolve(folder, flags.output)
  if (/[/\\]$/.test(flags.output) || isFolder(path)) {
    throw new NighthaulError('usage', `-o: “${flags.output}” is a folder: use -d ${flags.output} to save in it`)
  }
  return { folder: dirname(path), filename: basename(path) }
}

/** Null where nothing can be seen: that the engine says when it writes there, with what to do. */
function isFolder(path: string): boolean | null {
  try {
    return statSync(path).isDirectory()
  } catch {
    return null
  }
}
