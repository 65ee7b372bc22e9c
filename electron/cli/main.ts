/** Runs one command to its exit code. */
import { CommanderError } from 'commander'
import { EXIT_CODES, exitCodeOf, type NighthaulError, toErrorInfo } from '../../shared/errors.ts'
import { buildProgram, usageError } from './program.ts'
import { exitFlushed, leaveQuietlyWhenUnread, printable, say } from './terminal.ts'

/** Runs the command that `args` (without node and script) name, then ends the process with its exit code. */
export async function main(args: readonly string[]): Promise<never> {
  leaveQuietlyWhenUnread()
  return exitFlushed(await run(args))
}

/** Runs a command and answers its exit code; what went wrong has been said. */
export async function run(args: readonly string[]): Promise<number> {
  let exitCode = 0
  try {
    await buildProgram((code) => {
      exitCode = code
    }).parseAsync(args, { from: 'user' })
  } catch (error) {
    if (!(error instanceof CommanderError)) return complain(error)
    if (error.code === 'commander.help') return EXIT_CODES.usage // no command: its help was printed
    if (error.exitCode !== 0) return complain(usageError(error, args))
  }
  return exitCode
}

/** Says what went wrong in one line on standard error and answers the exit code that tells its kind. */
function complain(error: unknown): number {
  const { code, message } = toErrorInfo(error as NighthaulError)
  say(`nighthaul: ${printable(message)}`)
  if (code === 'internal' && process.env.NIGHTHAUL_LOG !== undefined && error instanceof Error) say(error.stack ?? '')
  return exitCodeOf(code)
}
