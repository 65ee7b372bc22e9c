/** How commander hears a flag whose value has to be read, and files that a flag names. */
import { readFileSync } from 'node:fs'
import { type Command, Option } from 'commander'
import { NighthaulError } from '../../shared/errors.ts'
import { parseDuration } from './parse.ts'
import { callerPath } from './terminal.ts'

/** An option whose value `parse` reads; what is wrong with it is said with the flag's name. */
export function valued(flags: string, description: string, parse: (text: string) => unknown): Option {
  const option = new Option(flags, description)
  return option.argParser((text: string) => named(option, () => parse(text)))
}

/** An option that may be repeated; its values come as a list. */
export function repeated(flags: string, description: string, parse: (text: string) => unknown): Option {
  const option = new Option(flags, description)
  return option.argParser((text: string, before: unknown[] = []) => named(option, () => [...before, parse(text)]))
}

function named<T>(option: Option, read: () => T): T {
  try {
    return read()
  } catch (error) {
    if (!(error instanceof NighthaulError)) throw error
    throw new NighthaulError('usage', `${option.long ?? option.short}: ${error.message}`)
  }
}

/** Adds the flags that say when a download starts. */
export function addStartOptions(command: Command): Command {
  return command
    .option('--start-at <time>', 'not before: 23:00 (the next), 2026-11-27T01:30, or now')
    .addOption(valued('--start-in <span>', 'not before so long from now: 2h, 90m, 1h30m', parseDuration))
    .option('--tz <zone>', 'time zone of --start-at, such as Europe/Berlin (default: the system’s)')
}

/** The bytes of a file, meant from where the person called. Throws `usage`, naming the flag. */
export function readNamedBytes(flag: string, path: string): Buffer {
  try {
    return readFileSync(callerPath(path))
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException
    const reason = code === 'ENOENT' ? 'does not exist' : code === 'EISDIR' ? 'is a folder' : `cannot be read (${code})`
    throw new NighthaulError('usage', `${flag}: the file “${path}” ${reason}`, {}, { cause: error })
  }
}

export function readNamedFile(flag: string, path: string): string {
  return readNamedBytes(flag, path).toString('utf8')
}
