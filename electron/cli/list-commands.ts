/**
 * Commands that keep the list safe: removing and undoing it, backups, files of the list. What they do
 * is in removed.ts, backups.ts and list-file.ts.
 */
import type { Command } from 'commander'
import type { ImportFlags } from './list-file.ts'
import type { GlobalFlags } from './program.ts'

/** Runs a command's code with its positional arguments and flags. */
export type Run = <A extends unknown[], F>(
  code: (...input: [...A, F & GlobalFlags]) => Promise<number>,
) => (...input: unknown[]) => Promise<void>

export type ListFlags = GlobalFlags & { json?: true }

export function addListCommands(program: Command, run: Run): void {
  const command = (name: string, description: string) => program.command(name).description(description)
  const removed = () => import('./removed.ts')
  const backups = () => import('./backups.ts')
  const listFile = () => import('./list-file.ts')

  command('remove', 'take downloads off the list; “undo” brings them back')
    .argument('<id...>', 'ids, as in the list')
    .option('--delete-files', 'delete what they have saved as well, after a while')
    .option('--now', 'with --delete-files: delete it at once')
    .option('--json', 'print JSON')
    .action(
      run<[string[]], ListFlags & { deleteFiles?: true; now?: true }>(async (ids, flags) =>
        (await removed()).remove(ids, flags),
      ),
    )
  command('undo', 'bring removed downloads back: those of the last “remove”, or these')
    .argument('[id...]', 'ids, as in “removed”')
    .option('--json', 'print JSON')
    .action(run<[string[]], ListFlags>(async (ids, flags) => (await removed()).undo(ids, flags)))
  command('export', 'write the whole list to a file: downloads and their progress, queues, rules, settings')
    .argument('[file]', 'the file; standard output when left out or -')
    .option('--with-secrets', 'passwords, cookies and tokens too')
    .action(
      run<[string | undefined], ListFlags & { withSecrets?: true }>(async (file, flags) =>
        (await listFile()).exportList(file, flags),
      ),
    )
  command('import', 'add what a file holds: an exported list, a Metalink, or links, one a line')
    .argument('<file>', 'the file; - for standard input')
    .option('-d, --directory <dir>', 'save all of it in this folder instead')
    .option('--paused', 'do not start it yet')
    .option('--json', 'print JSON')
    .action(run<[string], ImportFlags>(async (file, flags) => (await listFile()).importFile(file, flags)))
  command('backups', 'show the copies of the list that there are')
    .option('--json', 'print JSON, one object a line')
    .action(run<[], ListFlags>(async (flags) => (await backups()).backups(flags)))
  command('restore', 'put a backup in the place of the list; the present one is set aside')
    .argument('<backup>', 'its name, as in “backups”, a path, or “latest”')
    .option('--json', 'print JSON')
    .action(run<[string], ListFlags>(async (which, flags) => (await backups()).restore(which, flags)))
  command('removed', 'show what was removed and can come back')
    .option('--clear', 'forget all of it now, and delete the files that wait for it')
    .option('--json', 'print JSON, one object a line')
    .action(run<[], ListFlags & { clear?: true }>(async (flags) => (await removed()).removed(flags)))
}
