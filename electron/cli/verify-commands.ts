/** The commands that look after files which are here; what they do is in verify.ts. */
import type { Command } from 'commander'
import type { ListFlags, Run } from './list-commands.ts'

export function addVerifyCommands(program: Command, run: Run): void {
  for (const [name, description] of [
    ['verify', 'compare files with the checksums kept while they came'],
    ['repair', 'fetch again what differs in files, and nothing else'],
  ] as const)
    program
      .command(name)
      .description(description)
      .argument('<id...>', 'ids, as in the list')
      .option('--json', 'print JSON, one object a line')
      .action(run<[string[]], ListFlags>(async (ids, flags) => (await import('./verify.ts'))[name](ids, flags)))
}
