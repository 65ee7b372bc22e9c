/** `countdown`: the command and its flags. What it does is in countdown.ts. */
import type { Command } from 'commander'
import type { Run } from './host-commands.ts'
import type { GlobalFlags } from './program.ts'

type Flags = GlobalFlags & { json?: true }

const HELP = `
Examples:
  nighthaul queue set Night --when-done shutdown
  nighthaul countdown
  nighthaul countdown cancel`

export function addCountdownCommands(program: Command, run: Run): void {
  const code = () => import('./countdown.ts')
  const countdown = program
    .command('countdown')
    .description('what happens to the machine when the downloads are done: look, or call it off')
    .addHelpText('afterAll', HELP)
  countdown
    .command('show', { isDefault: true })
    .description('show what is about to happen, and when')
    .option('--json', 'print JSON')
    .action(run<[], Flags>(async (flags) => (await code()).showCountdown(flags)))
  countdown
    .command('cancel')
    .description('call it off')
    .option('--json', 'print JSON')
    .action(run<[], Flags>(async (flags) => (await code()).cancelCountdown(flags)))
}
