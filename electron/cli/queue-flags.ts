/** Flags of `queue add` and `queue set`, and what they say about a queue. */
import { type Command, Option } from 'commander'
import { NighthaulError } from '../../shared/errors.ts'
import { CategoryRule, MISSED, type QueuePatch, WhenDone } from '../../shared/queues.ts'
import { formatWindows, parseTime, parseWindows } from '../../shared/windows.ts'
import { timeZone } from '../engine/window-times.ts'
import { repeated, valued } from './flags.ts'
import { parseRateOrNone, parseWhole } from './parse.ts'
import type { GlobalFlags } from './program.ts'
import { callerPath } from './terminal.ts'

export interface QueueFlags extends GlobalFlags {
  json?: true
  name?: string
  position?: number
  limitRate?: number | 'none'
  priority?: number
  weight?: number
  atOnce?: number | 'default'
  connections?: number | 'default'
  folder?: string
  category?: (CategoryRule | null)[]
  window?: string
  tz?: string
  missed?: (typeof MISSED)[number]
  finishBy?: string
  whenDone?: (WhenDone | null)[]
}

const COUNT_OR_DEFAULT = (most: number) => (text: string) => (text === 'default' ? text : parseWhole(text, 1, most))

export function addQueueFlags(command: Command): Command {
  return command
    .addOption(
      valued('--limit-rate <rate>', 'bytes a second for all its downloads together, or “none”', parseRateOrNone),
    )
    .addOption(valued('--priority <n>', 'from -10 to 10; higher ones are served first', parsePriority))
    .addOption(
      valued('--weight <n>', 'its share of the places among queues of one priority, 1 to 100', (text) =>
        parseWhole(text, 1, 100),
      ),
    )
    .addOption(valued('--at-once <n>', 'the most of its downloads at once, or “default”', COUNT_OR_DEFAULT(100)))
    .addOption(valued('-x, --connections <n>', 'connections for each download, or “default”', COUNT_OR_DEFAULT(64)))
    .option('--folder <dir>', 'where its downloads go, or “default”')
    .addOption(
      repeated(
        '--category <rule>',
        'folder by kind, the first that fits: “Images: iso,img -> images”, “CDN: @cdn.example -> /data”; “none” takes them back',
        parseCategory,
      ),
    )
    .addOption(
      valued('--window <text>', 'when it works: “Mon-Fri 23:00-07:00, Sat,Sun 00:00-12:00”, or “always”', parseWindow),
    )
    .addOption(valued('--tz <zone>', 'time zone of its times, or “default” for the system’s', parseZone))
    .addOption(
      new Option('--missed <what>', 'what to do about a window that passed while the machine was off').choices([
        ...MISSED,
      ]),
    )
    .addOption(valued('--finish-by <time>', 'local time by which all should be there: 07:00, or “none”', parseFinishBy))
    .addOption(
      repeated(
        '--when-done <action>',
        'notify, quit, sleep, hibernate, shutdown, webhook=URL or command=PROGRAM (may be repeated); “none”',
        parseWhenDone,
      ),
    )
    .addOption(valued('--position <n>', 'its place among the queues, from 1', (text) => parseWhole(text, 1, 10_000)))
}

/** What the flags say; what is not named is left out. */
export function queuePatch(flags: QueueFlags): QueuePatch {
  const { name, position, priority, weight, missed, limitRate, atOnce, connections, folder, tz, finishBy } = flags
  const patch: Record<keyof QueuePatch, unknown> = {
    name,
    position: position === undefined ? undefined : position - 1,
    priority,
    weight,
    missed,
    limitBytesPerSecond: limitRate === 'none' ? null : limitRate,
    downloadsAtOnce: atOnce === 'default' ? null : atOnce,
    connections: connections === 'default' ? null : connections,
    folder: folder === 'default' ? null : folder && callerPath(folder),
    categories: flags.category?.filter((rule) => rule !== null),
    stopped: undefined,
    windows: flags.window === 'always' ? null : flags.window,
    timeZone: tz === 'default' ? null : tz,
    finishBy: finishBy === 'none' ? null : finishBy,
    whenDone: flags.whenDone?.filter((action) => action !== null),
  }
  return Object.fromEntries(Object.entries(patch).filter(([, value]) => value !== undefined))
}

function parsePriority(text: string): number {
  const value = /^-?\d+$/.test(text.trim()) ? Number(text) : Number.NaN
  if (!(value >= -10 && value <= 10))
    throw new NighthaulError('usage', `“${text}” is not a whole number from -10 to 10`)
  return value
}

/** Commander knows no null: “always”, “default” and “none” become it later. */
function parseWindow(text: string): string {
  return text === 'always' ? text : formatWindows(parseWindows(text))
}

function parseZone(text: string): string {
  return text === 'default' ? text : timeZone(text)
}

function parseFinishBy(text: string): string {
  if (text === 'none') return text
  const minutes = parseTime(text)
  if (minutes === null || minutes === 1440)
    throw new NighthaulError('usage', `“${text}” is no time of day: write 07:00`)
  return text.trim()
}

/** `NAME: EXTENSION,@HOST,… -> FOLDER`; null: none any more. */
function parseCategory(text: string): CategoryRule | null {
  if (text === 'none') return null
  const match = /^([^:]+):([^:]*?)->(.+)$/.exec(text)
  const kinds = (match?.[2] ?? '').split(',').map((part) => part.trim())
  const rule = CategoryRule.safeParse({
    name: match?.[1]?.trim(),
    extensions: kinds.filter((kind) => kind !== '' && !kind.startsWith('@')).map((kind) => kind.replace(/^\*?\./, '')),
    hosts: kinds.filter((kind) => kind.startsWith('@')).map((kind) => kind.slice(1)),
    folder: match?.[3]?.trim(),
  })
  if (rule.success) return rule.data
  throw new NighthaulError(
    'usage',
    `“${text}” is no rule: write “Images: iso,img -> images” or “CDN: @cdn.example -> /data”`,
  )
}

function parseWhenDone(text: string): WhenDone | null {
  if (text === 'none') return null
  const [, kind, value] = /^(\w+)(?:=(.*))?$/s.exec(text) ?? []
  const action = WhenDone.safeParse(
    kind === 'webhook'
      ? { kind, url: value }
      : kind === 'command'
        ? { kind, program: value && callerPath(value) }
        : { kind },
  )
  if (action.success && (value === undefined || kind === 'webhook' || kind === 'command')) return action.data
  throw new NighthaulError(
    'usage',
    `“${text}” is none of notify, quit, sleep, hibernate, shutdown, webhook=URL and command=PROGRAM`,
  )
}
