/** `schedule`: the commands and their flags. What they do is in schedule.ts, profiles.ts, repeats.ts and missed.ts. */
import { type Command, Option } from 'commander'
import { MISSED } from '../../shared/queues.ts'
import { type AccessFlags, addAccessOptions } from './access-options.ts'
import { valued } from './flags.ts'
import type { JsonFlags, Run } from './host-commands.ts'
import { parseDuration, parseRate, parseRateOrNone, parseUrl, parseWhole } from './parse.ts'

export interface PreviewFlags {
  window: string
  tz?: string
  from?: string
  days: number
  json?: true
}

export interface ForecastFlags extends JsonFlags {
  queue?: string
  tasks: number
  hours: number
}

export interface UseFlags extends JsonFlags {
  for?: number
  until?: string
  tz?: string
  always?: true
}

export interface ProfileFlags extends JsonFlags {
  limitRate?: number | 'none' | 'default'
  jobs?: number | 'default'
  maxHostConnections?: number | 'default'
  connections?: number | 'default'
  window?: string
  tz?: string
}

export interface RepeatFlags extends JsonFlags, AccessFlags {
  when?: string
  tz?: string
  directory?: string
  queue?: string
  name?: string
  keep?: number | 'all'
  missed?: (typeof MISSED)[number]
  connections?: number
  limitRate?: number
}

const SCHEDULE_HELP = `
Examples:
  nighthaul schedule preview --window 'Mon-Fri 23:00-07:00' --days 3
  nighthaul schedule forecast
  nighthaul schedule profile use calls --for 1h
  nighthaul schedule repeat add --when 'daily 02:00' --keep 7 https://example.org/dump.sql.gz
  nighthaul schedule missed`

const PREVIEW_HELP = `
Examples:
  nighthaul schedule preview --window 'Mon-Fri 23:00-07:00, Sat,Sun 00:00-12:00'
  nighthaul schedule preview --window '23:00-07:00' --tz Europe/Berlin --from 2026-03-27 --days 3 --json`

const FORECAST_HELP = `
Rates are those measured lately, by hour and host, and what runs now. Sizes that nobody told are estimated (~).
Examples:
  nighthaul schedule forecast                    every queue: when it starts, when it is done, whether that is in time
  nighthaul schedule forecast --queue Night --tasks 20
  nighthaul schedule forecast --json`

const PROFILE_HELP = `
Profiles are full, day, calls and night. Where the times of several overlap, calls comes before day, day before night.
Examples:
  nighthaul schedule profile
  nighthaul schedule profile use calls --for 1h
  nighthaul schedule profile use full            until the schedule changes next
  nighthaul schedule profile use auto            as the schedule says, from now on
  nighthaul schedule profile set day --window 'Mon-Fri 08:00-18:00' --limit-rate 2M --jobs 2`

const REPEAT_HELP = `
Names hold text and {name}, {ext} (with its dot), {date}, {time} and {n}. A file that has not changed is not downloaded
again. --keep deletes older results, but none that somebody has changed since.
Examples:
  nighthaul schedule repeat add --when 'daily 02:00' --keep 7 https://example.org/dump.sql.gz
  nighthaul schedule repeat add --when 'Mon-Fri 02:00, Sat 12:00' --tz Europe/Berlin --name '{name}-{n}{ext}' URL
  nighthaul schedule repeat run 1`

const MISSED_HELP = `
Examples:
  nighthaul schedule missed
  nighthaul schedule missed run Night
  nighthaul schedule missed skip Night
  nighthaul queue set Night --missed ask`

const JSON_FLAG = ['--json', 'print JSON, one object a line'] as const
const TZ_FLAG = ['--tz <zone>', 'time zone, such as Europe/Berlin (default: the system’s)'] as const

export function addScheduleCommands(program: Command, run: Run): void {
  const schedule = program
    .command('schedule')
    .description('when work is done, and how much of the line it may use')
    .addHelpText('after', SCHEDULE_HELP)
  schedule
    .command('preview')
    .description('show when windows of time open and close')
    .requiredOption('--window <text>', 'windows, such as “Mon-Fri 23:00-07:00, Sat,Sun 00:00-12:00”')
    .option(...TZ_FLAG)
    .option('--from <local>', 'first moment, in that zone: 2026-03-29T01:30 or 2026-03-29 (default: now)')
    .addOption(valued('--days <n>', 'for so many days', (text) => parseWhole(text, 1, 3660)).default(7, '7'))
    .option(...JSON_FLAG)
    .addHelpText('after', PREVIEW_HELP)
    .action(run<[], PreviewFlags>(async (flags) => (await import('./schedule.ts')).preview(flags)))

  schedule
    .command('forecast')
    .description('tell what will probably be fetched when, and whether queues are done in time')
    .option('--queue <name>', 'this queue alone')
    .addOption(
      valued('--tasks <n>', 'show so many of the next downloads', (text) => parseWhole(text, 0, 1000)).default(5, '5'),
    )
    .addOption(valued('--hours <n>', 'so far ahead', (text) => parseWhole(text, 1, 192)).default(36, '36'))
    .option('--json', 'print JSON, one object a line: the line, then the queues')
    .addHelpText('after', FORECAST_HELP)
    .action(run<[], ForecastFlags>(async (flags) => (await import('./forecast.ts')).forecast(flags)))
  addProfileCommands(schedule, run)
  addRepeatCommands(schedule, run)
  addMissedCommands(schedule, run)
}

function addProfileCommands(schedule: Command, run: Run): void {
  const code = () => import('./profiles.ts')
  const profile = schedule
    .command('profile')
    .description('how much may be used: by time, or by hand for a while')
    .addHelpText('afterAll', PROFILE_HELP)
  profile
    .command('list', { isDefault: true })
    .description('show which profile holds, and what each says')
    .option(...JSON_FLAG)
    .action(run<[], JsonFlags>(async (flags) => (await code()).listProfiles(flags)))
  profile
    .command('use')
    .description('choose a profile until the schedule changes next, or for longer')
    .argument('<name>', 'full, day, calls, night, or auto: as the schedule says')
    .addOption(valued('--for <span>', 'for so long: 2h, 90m, 1h30m', parseDuration))
    .option('--until <time>', 'until then: 18:00 (the next), 2026-11-27T01:30')
    .option(...TZ_FLAG)
    .option('--always', 'until told otherwise')
    .option(...JSON_FLAG)
    .action(run<[string], UseFlags>(async (name, flags) => (await code()).useProfile(name, flags)))
  const orDefault = (most: number) => (text: string) => (text === 'default' ? text : parseWhole(text, 1, most))
  profile
    .command('set')
    .description('change what a profile says; “default” means as the settings say')
    .argument('<name>', 'full, day, calls or night')
    .addOption(
      valued('--limit-rate <rate>', 'bytes a second in all: 500K, 2M; none: no limit', (text) =>
        /^default$/i.test(text.trim()) ? 'default' : parseRateOrNone(text),
      ),
    )
    .addOption(valued('-j, --jobs <n>', 'downloads at once', orDefault(100)))
    .addOption(valued('--max-host-connections <n>', 'connections to one host', orDefault(64)))
    .addOption(valued('-x, --connections <n>', 'connections of one download', orDefault(64)))
    .option('--window <text>', 'when it holds, such as “Mon-Fri 08:00-18:00”; none: by hand only')
    .option('--tz <zone>', 'time zone of these times; default: the system’s')
    .option(...JSON_FLAG)
    .action(run<[string], ProfileFlags>(async (name, flags) => (await code()).setProfile(name, flags)))
}

function addRepeatCommands(schedule: Command, run: Run): void {
  const code = () => import('./repeats.ts')
  const repeat = schedule
    .command('repeat')
    .description('downloads that repeat: the same link every night, say')
    .addHelpText('afterAll', REPEAT_HELP)
  repeat
    .command('list', { isDefault: true })
    .description('show the repeating downloads')
    .option(...JSON_FLAG)
    .action(run<[], JsonFlags>(async (flags) => (await code()).listRepeats(flags)))
  const withFlags = (command: Command) =>
    addAccessOptions(
      command
        .option('--when <times>', 'when to run: “daily 02:00”, “Mon-Fri 02:00, Sat 12:00”')
        .option('--tz <zone>', 'time zone of these times, such as Europe/Berlin; default: the system’s')
        .option('--name <template>', 'what to call the files (default: “{name} {date}{ext}”)')
        .option('-d, --directory <dir>', 'folder to save in')
        .option('--queue <name>', 'the queue its downloads are put in')
        .addOption(
          valued('--keep <n>', 'delete results older than the last n; all: none', (text) =>
            text === 'all' ? text : parseWhole(text, 1, 1000),
          ),
        )
        .addOption(new Option('--missed <how>', 'a run that was missed').choices(MISSED))
        .addOption(valued('-x, --connections <n>', 'connections', (text) => parseWhole(text, 1, 64)))
        .addOption(valued('--limit-rate <rate>', 'bytes a second: 500K, 2M', parseRate)),
    ).option(...JSON_FLAG)
  withFlags(repeat.command('add').description('download a link again and again'))
    .argument('<url>', 'what to download', (text) => parseUrl(text))
    .action(run<[string], RepeatFlags>(async (url, flags) => (await code()).addRepeat(url, flags)))
  const idOf = (text: string) => parseWhole(text, 1, Number.MAX_SAFE_INTEGER)
  withFlags(repeat.command('set').description('change a repeating download'))
    .argument('<id>', 'its id, as in the list', idOf)
    .action(run<[number], RepeatFlags>(async (id, flags) => (await code()).setRepeat(id, flags)))
  for (const [name, description, work] of [
    ['run', 'run it now', async (id, flags) => (await code()).runRepeat(id, flags)],
    [
      'skip',
      'leave a missed run out that waits for an answer',
      async (id, flags) => (await code()).skipRepeat(id, flags),
    ],
    ['pause', 'let it rest', async (id, flags) => (await code()).pauseRepeat(id, true, flags)],
    ['resume', 'let it go on', async (id, flags) => (await code()).pauseRepeat(id, false, flags)],
    ['remove', 'end it; what it downloaded stays', async (id, flags) => (await code()).removeRepeat(id, flags)],
  ] as [string, string, (id: number, flags: JsonFlags) => Promise<number>][])
    repeat
      .command(name)
      .description(description)
      .argument('<id>', 'its id, as in the list', idOf)
      .option(...JSON_FLAG)
      .action(run<[number], JsonFlags>(work))
}

function addMissedCommands(schedule: Command, run: Run): void {
  const code = () => import('./missed.ts')
  const missed = schedule
    .command('missed')
    .description('windows of queues that passed while the machine slept or was off')
    .addHelpText('afterAll', MISSED_HELP)
  missed
    .command('list', { isDefault: true })
    .description('show those that are made up for, or could be')
    .option(...JSON_FLAG)
    .action(run<[], JsonFlags>(async (flags) => (await code()).listMissed(flags)))
  for (const [name, description, decision] of [
    ['run', 'let the queue work now, for as long as was lost', 'run'],
    ['skip', 'let the queue wait for its next window', 'next'],
  ] as const)
    missed
      .command(name)
      .description(description)
      .argument('<queue>', 'its name or id')
      .option(...JSON_FLAG)
      .action(run<[string], JsonFlags>(async (queue, flags) => (await code()).makeUp(queue, decision, flags)))
}
