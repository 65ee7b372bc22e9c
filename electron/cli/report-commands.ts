/** `report`: the command and its flags. What it prints is in night-report.ts. */
import { type Command, Option } from 'commander'
import type { JsonFlags, Run } from './host-commands.ts'

export interface ReportFlags extends JsonFlags {
  night?: string
  last?: true
  from?: string
  to?: string
  queue?: string
  html?: string
}

const HELP = `
A night begins at noon and ends at noon; its date is that of the evening.
Examples:
  nighthaul report                         the latest night of which something is known
  nighthaul report --night 2026-11-25 --queue Night
  nighthaul report --from 2026-11-25T22:00 --to 2026-11-26T07:00 --json
  nighthaul report --html report.html      one page to keep or to send; “-”: to standard output
  nighthaul report nights                  the nights there are`

export function addReportCommands(program: Command, run: Run): void {
  const report = program
    .command('report')
    .description('what came in the night, what did not and why, and what is tried next')
    .addOption(new Option('--night <date>', 'the night that began on this day').conflicts(['last', 'from', 'to']))
    .addOption(
      new Option('--last', 'the latest night of which something is known (the default)').conflicts(['from', 'to']),
    )
    .option('--from <local>', 'first moment: 2026-11-25T22:00 or 2026-11-25')
    .option('--to <local>', 'last moment (default: now)')
    .option('--queue <name>', 'only this queue')
    .addOption(new Option('--json', 'print JSON').conflicts('html'))
    .option('--html <file>', 'write one HTML page')
    .addHelpText('afterAll', HELP)
    .action(run<[], ReportFlags>(async (flags) => (await import('./night-report.ts')).report(flags)))
  report
    .command('nights')
    .description('show the nights of which something is known')
    .option('--json', 'print JSON, one object a line')
    .action(run<[], JsonFlags>(async (flags) => (await import('./night-report.ts')).nights(flags)))
}
