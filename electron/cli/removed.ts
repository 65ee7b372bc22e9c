/** `remove`, `undo`, `removed`: taking downloads off the list, and bringing them back. */
import { NighthaulError } from '../../shared/errors.ts'
import { formatBytes, formatCount } from '../../shared/format.ts'
import type { RemovedTask } from '../../shared/schemas.ts'
import type { ListFlags } from './list-commands.ts'
import { parseTaskId } from './parse.ts'
import { existing } from './queue.ts'
import { withQueue } from './queue-session.ts'
import { print, printable, printableLink, printJson, say } from './terminal.ts'

const PAGE = 1000

const downloads = (count: number) => `${formatCount(count)} ${count === 1 ? 'download' : 'downloads'}`

export async function remove(args: string[], flags: ListFlags & { deleteFiles?: true; now?: true }): Promise<number> {
  const ids = args.map(parseTaskId)
  const { deleteFiles = false, now = false } = flags
  if (now && !deleteFiles) throw new NighthaulError('usage', '--now says when --delete-files deletes; give both')
  return withQueue(flags, async (queue) => {
    const selection = await existing(queue, ids)
    const { count, removal } = await queue.client.call('tasks.remove', { selection, deleteFiles, now })
    if (flags.json) return printJson({ count, removal })
    print(`${downloads(count)} removed${now ? ' with their files' : ''}`)
    const { keepRemovedFilesMinutes: minutes } = await queue.client.call('settings.get')
    if (deleteFiles && !now && minutes > 0) {
      const who = queue.owned ? '' : ' once the app or “nighthaul serve” runs'
      say(`nighthaul: Their files are deleted in ${minutes} min${who}; until then “nighthaul undo” brings them back`)
    }
  })
}

export async function undo(args: string[], flags: ListFlags): Promise<number> {
  const ids = args.map(parseTaskId)
  return withQueue(flags, async ({ client }) => {
    const { count } = await client.call('tasks.restore', ids.length > 0 ? { ids } : { removal: 'last' })
    if (count === 0) {
      throw new NighthaulError(
        'task_not_found',
        ids.length > 0
          ? 'None of these is among the removed downloads; nothing was changed. “nighthaul removed” shows them.'
          : 'Nothing was removed that could come back; nothing was changed.',
      )
    }
    if (flags.json) printJson({ count })
    else print(`${downloads(count)} brought back`)
  })
}

export async function removed(flags: ListFlags & { clear?: true }): Promise<number> {
  return withQueue(flags, async ({ client }) => {
    if (flags.clear) {
      const { count } = await client.call('removed.clear')
      return flags.json ? printJson({ count }) : print(`${downloads(count)} forgotten`)
    }
    for (let offset = 0; ; offset += PAGE) {
      const { rows } = await client.call('removed.list', { offset, limit: PAGE })
      if (offset === 0 && rows.length === 0 && !flags.json) say('nighthaul: Nothing was removed lately')
      for (const row of rows) flags.json ? printJson(row) : print(removedLine(row))
      if (rows.length < PAGE) return
    }
  })
}

function removedLine({ id, removedAt, url, filename, sizeBytes, filesDueAt, filesGone }: RemovedTask): string {
  const time = (at: number) => new Date(at).toLocaleString()
  const size = sizeBytes === null ? '' : `  ${formatBytes(sizeBytes)}`
  const files = filesDueAt !== null ? `  files are deleted ${time(filesDueAt)}` : filesGone ? '  files deleted' : ''
  return `${id}\t${time(removedAt)}\t${filename === null ? printableLink(url) : printable(filename)}${size}${files}`
}
