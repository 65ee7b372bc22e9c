/** `schedule`: the commands and their flags. What they do is in schedule.ts. */
import type { Command } from 'commander'
import { valued } from './flags.ts'
import type { Run } from './host-commands.ts'
import { parseWhole } from './parse.ts'

export interface PreviewFlags {
  window: string
  tz?: string
  from?: string
  days: number
  json?: true
}

const PREVIEW_HELP = `
Examples:
  nighthaul schedule preview --window 'Mon-Fri 23:00-07:00, Sat,Sun 00:00-12:00'
  nighthaul schedule preview --window '23:00-07:00' --tz Europe/Berlin --from 2026-03-27 --days 3 --json`

export function addScheduleCommands(program: Command, run: Run): void {
  const schedule = program.command('schedule').description('when work is done')
  schedule
    .command('preview')
    .description('show when windows of time open and close')
    .requiredOption('--window <text>', 'windows, such as “Mon-Fri 23:00-07:00, Sat,Sun 00:00-12:00”')
    .option('--tz <zone>', 'time zone, such as Europe/Berlin (default: the system’s)')
    .option('--from <local>', 'first moment, in that zone: 2026-03-29T01:30 or 2026-03-29 (default: now)')
    .addOption(valued('--days <n>', 'for so many days', (text) => parseWhole(text, 1, 3660)).default(7, '7'))
    .option('--json', 'print JSON, one object a line')
    .addHelpText('after', PREVIEW_HELP)
    .action(run<[], PreviewFlags>(async (flags) => (await import('./schedule.ts')).preview(flags)))
}
