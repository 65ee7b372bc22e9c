/** The flags of `get` and `add`: how commander hears them and what they mean to the engine. */
import { statSync } from 'node:fs'
import { basename, dirname, resolve } from 'node:path'
import { type Command, Option } from 'commander'
import { NighthaulError } from '../../shared/errors.ts'
import type { Checksum } from '../../shared/integrity.ts'
import { DEFAULT_SETTINGS, ON_CHANGE, ON_CONFLICT, type SettingsPatch, type TaskOptions } from '../../shared/schemas.ts'
import { ranked } from '../engine/expectations.ts'
import { type AccessFlags, addAccessOptions, given, readAccessOptions } from './access-options.ts'
import { repeated, valued } from './flags.ts'
import { parseChecksum, parseHostRate, parseRate, parseSpacing, parseUrl, parseWhole } from './parse.ts'
import { callerFolder, callerPath } from './terminal.ts'

/** What commander hands over for the flags below, already parsed. */
export interface TransferFlags extends AccessFlags {
  input?: string
  curl?: string
  mirror?: string[]
  output?: string
  directory?: string
  tempDir?: string
  connections?: number
  limitRate?: number
  checksum?: Checksum[]
  checksumFile?: string
  findChecksums?: true
  /** from --no-verify-found */
  verifyFound?: boolean
  onConflict?: TaskOptions['onConflict']
  onChange?: TaskOptions['onChange']
  durable?: true
  retries?: number
  acceptHtml?: true
}

export interface GetFlags extends TransferFlags {
  jobs?: number
  maxHostConnections?: number
  hostRate?: number
  hostSpacing?: number
  waitForSpace?: true
  json?: true
}

/** Adds the flags that `get` and `add` share. */
export function addTransferOptions(command: Command): Command {
  command
    .option('-i, --input <file>', 'read URLs from a file, one a line; - for standard input')
    .addOption(repeated('--mirror <url>', 'another URL of the same file; may be repeated', (text) => parseUrl(text)))
    .option('--curl <command>', 'what a cURL command would fetch; - reads it from standard input')
    .option('-o, --output <file>', 'save as this file')
    .option('-d, --directory <dir>', 'folder to save in')
    .option('--temp-dir <dir>', 'folder for the part until it is complete')
    .addOption(valued('-x, --connections <n>', 'connections per download', (text) => parseWhole(text, 1, 64)))
    .addOption(valued('--limit-rate <rate>', 'bytes a second: 500K, 2M, 1.5M', parseRate))
    .addOption(repeated('--checksum <algorithm=hex>', 'expected digest, such as sha-256=… (repeatable)', parseChecksum))
    .option('--checksum-file <file>', 'checksums of the files by name, as sha256sum writes them; - for standard input')
    .option('--find-checksums', 'ask for SHA256SUMS, NAME.sha256 and the like beside the file')
    .addOption(new Option('--no-verify-found', 'do not verify by what the server says'))
  return addAccessOptions(command)
    .addOption(new Option('--on-conflict <how>', 'when a file of that name exists').choices(ON_CONFLICT))
    .addOption(new Option('--on-change <how>', 'when the remote file has changed since').choices(ON_CHANGE))
    .option('--durable', 'fsync file and folder before the file appears under its name')
    .addOption(valued('--retries <n>', 'tries after a failure without progress', (text) => parseWhole(text, 0, 10_000)))
    .option('--accept-html', 'save a web page even where the link names another kind of file')
}

/** Adds the flags that concern this one run of `get`. */
export function addSessionOptions(command: Command): Command {
  return command
    .addOption(valued('-j, --jobs <n>', 'downloads at once', (text) => parseWhole(text, 1, 100)))
    .addOption(valued('--max-host-connections <n>', 'connections to one host', (text) => parseWhole(text, 1, 64)))
    .addOption(valued('--host-rate <n>', 'requests a second to one host', parseHostRate))
    .addOption(valued('--host-spacing <seconds>', 'the least time between two requests to one host', parseSpacing))
    .option('--wait-for-space', 'wait where the disk is full or its folder is gone, instead of giving up')
    .option('--json', 'print JSON, one object a line')
}

/** The task options that the flags ask for. Throws `usage`. */
export function readTaskOptions(flags: TransferFlags): TaskOptions {
  return {
    ...readAccessOptions(flags),
    ...given<TaskOptions>({
      connections: flags.connections,
      ...readChecksums(flags.checksum),
      findChecksums: flags.findChecksums,
      verifyFound: flags.verifyFound === false ? false : undefined,
      temporaryFolder: flags.tempDir === undefined ? undefined : callerPath(flags.tempDir),
      onConflict: flags.onConflict,
      onChange: flags.onChange,
      retries: flags.retries,
      acceptHtml: flags.acceptHtml,
    }),
  }
}

/** The strongest is the checksum, the others are expected as well: all of them have to match. */
function readChecksums(given: readonly Checksum[] = []): Pick<TaskOptions, 'checksum' | 'expected'> {
  const [checksum, ...others] = ranked(given.map((digest) => ({ ...digest, source: 'user' as const })))
  if (!checksum) return {}
  const { algorithm, value } = checksum
  return { checksum: { algorithm, value }, ...(others.length > 0 && { expected: others }) }
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
    // What may be open may be kept between two files.
    ...(perHost !== undefined && { connectionsPerHost: perHost, idleConnectionsPerHost: perHost }),
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
