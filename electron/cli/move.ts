/** `move`: takes files of downloads to other places, or tells the queue where they were taken. */
import { isAbsolute, sep } from 'node:path'
import { exitCodeOf, NighthaulError } from '../../shared/errors.ts'
import { parseTaskId } from './parse.ts'
import type { GlobalFlags } from './program.ts'
import { openQueue } from './queue-session.ts'
import { callerPath, print, printable, printJson, say } from './terminal.ts'

export type MoveFlags = GlobalFlags & { to: string; alreadyThere?: true; json?: true }

/** Prints where each is now. Answers the exit code of the first that failed. */
export async function moveFiles(args: string[], flags: MoveFlags): Promise<number> {
  const ids = args.map(parseTaskId)
  if (flags.to === '') throw new NighthaulError('usage', '--to: the folder or file is missing')
  const path = isAbsolute(flags.to) ? flags.to : callerPath(flags.to)
  // What ends like a folder is one, also where it does not exist yet.
  const to = /[/\\]$/.test(flags.to) && !/[/\\]$/.test(path) ? `${path}${sep}` : path
  const queue = await openQueue(flags.profile)
  try {
    const { moved, failed } = await queue.client.call('tasks.move', {
      ids,
      to,
      alreadyThere: flags.alreadyThere === true,
    })
    for (const { id, path: now } of moved)
      flags.json ? printJson({ type: 'moved', id, path: now }) : print(printable(now))
    for (const { id, error } of failed) {
      if (flags.json) printJson({ type: 'failed', id, code: error.code, message: error.message })
      else say(`nighthaul: ${id}: ${error.message}`)
    }
    return failed[0] ? exitCodeOf(failed[0].error.code) : 0
  } finally {
    await queue.close()
  }
}
