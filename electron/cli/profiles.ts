/** `schedule profile`: what its commands ask and print. */
import { NighthaulError } from '../../shared/errors.ts'
import { formatRate } from '../../shared/format.ts'
import {
  PROFILE_NAMES,
  type ProfileLimits,
  type ProfileName,
  type ProfilesView,
  type ProfileView,
  type UseProfileInput,
} from '../../shared/profiles.ts'
import type { JsonFlags } from './host-commands.ts'
import { withQueue } from './queue-session.ts'
import type { ProfileFlags, UseFlags } from './schedule-commands.ts'
import { formatInstant, parseInstant } from './start-time.ts'
import { printTable } from './table.ts'
import { print, printJson } from './terminal.ts'

const BY = { hand: 'chosen by hand', schedule: 'by the schedule', default: 'as no time says otherwise' }

function tell(view: ProfilesView, flags: JsonFlags): void {
  if (flags.json) printJson(view)
  else print(currentLine(view))
}

/** `day, by the schedule, until Fri 27 Nov 2026, 18:00 CET` */
function currentLine({ current: { name, by, until } }: ProfilesView): string {
  const end = until !== null ? `, until ${formatInstant(until)}` : by === 'hand' ? ', until told otherwise' : ''
  return `Profile: ${name}, ${BY[by]}${end}`
}

function limitsNote(limits: ProfileLimits): string {
  const { limitBytesPerSecond, downloadsAtOnce, connectionsPerHost, connectionsPerDownload } = limits
  const parts = [
    limitBytesPerSecond !== null && (limitBytesPerSecond === 0 ? 'no speed limit' : formatRate(limitBytesPerSecond)),
    downloadsAtOnce !== null && `${downloadsAtOnce} at once`,
    connectionsPerHost !== null && `${connectionsPerHost} connections a host`,
    connectionsPerDownload !== null && `${connectionsPerDownload} connections a download`,
  ].filter((part) => part !== false)
  return parts.length > 0 ? parts.join(', ') : 'as the settings say'
}

function timesNote({ windows, timeZone }: Pick<ProfileView, 'windows' | 'timeZone'>): string {
  if (windows === null) return ''
  return timeZone === null ? windows : `${windows} (${timeZone})`
}

export async function listProfiles(flags: JsonFlags): Promise<number> {
  return withQueue(flags, async ({ client }) => {
    const view = await client.call('profiles.list')
    if (flags.json) return printJson(view)
    print(currentLine(view))
    printTable([
      ['NAME', 'LIMITS', 'TIMES'],
      ...view.profiles.map((profile) => [profile.name, limitsNote(profile), timesNote(profile)]),
    ])
  })
}

export async function useProfile(text: string, flags: UseFlags): Promise<number> {
  const name = /^auto$/i.test(text) ? null : profileNamed(text)
  const until = untilOf(flags)
  if (name === null && until !== 'change')
    throw new NighthaulError('usage', '“auto” holds from now on: it takes no --for, --until or --always')
  return withQueue(flags, async ({ client }) => tell(await client.call('profiles.use', { name, until }), flags))
}

function untilOf(flags: UseFlags): UseProfileInput['until'] {
  const { for: spanMs, until, always, tz } = flags
  if ([spanMs, until, always].filter((flag) => flag !== undefined).length > 1)
    throw new NighthaulError('usage', '--for, --until and --always say different things: use one of them')
  if (spanMs !== undefined) return Date.now() + spanMs
  if (always) return 'told'
  if (until === undefined) return 'change'
  const at = parseInstant(until, tz, Date.now())
  if (at === null || at <= Date.now()) throw new NighthaulError('usage', `--until: ${until} is past`)
  return at
}

export async function setProfile(text: string, flags: ProfileFlags): Promise<number> {
  const orNull = <T>(value: T | 'default' | 'none' | undefined): T | null | undefined =>
    value === 'default' || value === 'none' ? null : value
  const patch = {
    limitBytesPerSecond: flags.limitRate === 'none' ? 0 : orNull(flags.limitRate),
    downloadsAtOnce: orNull(flags.jobs),
    connectionsPerHost: orNull(flags.maxHostConnections),
    connectionsPerDownload: orNull(flags.connections),
    windows: orNull(flags.window),
    timeZone: orNull(flags.tz),
  }
  const given = Object.fromEntries(Object.entries(patch).filter(([, value]) => value !== undefined))
  if (Object.keys(given).length === 0)
    throw new NighthaulError(
      'usage',
      'Say what to change: --limit-rate, --jobs, --max-host-connections, --connections, --window or --tz',
    )
  const name = profileNamed(text)
  return withQueue(flags, async ({ client }) => {
    const view = await client.call('profiles.set', { name, patch: given })
    if (flags.json) printJson(view)
    else {
      const profile = view.profiles.find((known) => known.name === name)!
      print([`${name}: ${limitsNote(profile)}`, timesNote(profile)].filter(Boolean).join('; '))
    }
  })
}

function profileNamed(text: string): ProfileName {
  const found = PROFILE_NAMES.find((name) => name === text.trim().toLowerCase())
  if (found) return found
  throw new NighthaulError('usage', `There is no profile “${text}”: they are ${PROFILE_NAMES.join(', ')}`)
}
