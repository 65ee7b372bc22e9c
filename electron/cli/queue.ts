/** `add`, `list`, `show`, `pause`, `resume`, `retry`: what a person does with the queue. */
import { NighthaulError } from '../../shared/errors.ts'
import { formatCount } from '../../shared/format.ts'
import { noticeSentence } from '../../shared/notices.ts'
import type { Selection, TaskId } from '../../shared/schemas.ts'
import { isUnfinished, TASK_STATES, type TaskState } from '../../shared/task-state.ts'
import { readDownloads } from './downloads.ts'
import { detailLines, listHead, listRow } from './lines.ts'
import type { TransferFlags } from './options.ts'
import { parseTaskId } from './parse.ts'
import type { GlobalFlags } from './program.ts'
import { type Queue, queueNamed, sayWhenItStarts, withQueue } from './queue-session.ts'
import { readStart, type StartFlags } from './start-time.ts'
import { print, printable, printableLink, printJson, say } from './terminal.ts'

const PAGE = 1000

type Flags = GlobalFlags & { json?: true }

export type AddFlags = TransferFlags & StartFlags & Flags & { paused?: true; queue?: string }

export async function add(args: string[], flags: AddFlags): Promise<number> {
  if (flags.output === '-') throw new NighthaulError('usage', '-o - needs “nighthaul get”: the queue saves to files')
  const startAt = readStart(flags) ?? undefined
  const { urls, folder, options: given, itemOf } = await readDownloads(args, flags)
  const options = {
    ...given,
    ...(flags.limitRate !== undefined && { limitBytesPerSecond: flags.limitRate }),
    ...(flags.durable && { durability: 'strict' as const }),
  }
  return withQueue(flags, async (queue) => {
    const { items } = await queue.client.call('tasks.add', {
      items: urls.map(itemOf),
      folder: flags.directory === undefined && flags.output === undefined ? undefined : folder,
      options,
      paused: flags.paused === true,
      startAt,
      queueId: flags.queue === undefined ? undefined : (await queueNamed(queue.client, flags.queue)).id,
    })
    for (const [index, { id, duplicate }] of items.entries()) {
      const url = urls[index]!
      if (flags.json) printJson({ id, url, duplicate })
      else print(`${id}\t${printableLink(url)}${duplicate ? '\t(in the queue already)' : ''}`)
    }
    if (!flags.paused) sayWhenItStarts(queue)
  })
}

export async function list(text: string | undefined, flags: Flags & { state?: string[] }): Promise<number> {
  const states = flags.state?.map(parseState)
  const columns = process.stdout.isTTY ? process.stdout.columns || 80 : Number.POSITIVE_INFINITY
  return withQueue(flags, async ({ client }) => {
    for (let offset = 0; ; offset += PAGE) {
      const { rows, total } = await client.call('tasks.list', { states, text, offset, limit: PAGE })
      if (offset === 0) await sayNotices(client)
      if (offset === 0 && !flags.json) {
        if (total === 0) say('nighthaul: There are no downloads to show')
        else print(listHead(columns))
      }
      for (const row of rows) flags.json ? printJson(row) : print(listRow(row, columns))
      if (rows.length < PAGE) return
    }
  })
}

/** What has to be known is said with the list until somebody reads it in the window. */
async function sayNotices(client: Queue['client']): Promise<void> {
  for (const notice of await client.call('notices.list')) say(`nighthaul: ${printable(noticeSentence(notice))}`)
}

function parseState(text: string): TaskState {
  const state = TASK_STATES.find((known) => known === text)
  if (state) return state
  throw new NighthaulError('usage', `--state: “${text}” is none of ${TASK_STATES.join(', ')}`)
}

export async function show(id: TaskId, flags: Flags): Promise<number> {
  return withQueue(flags, async ({ client }) => {
    const task = await client.call('tasks.get', { id })
    if (flags.json) return printJson(task)
    const queues = await client.call('queues.list')
    const queue = queues.length > 1 ? queues.find((known) => known.id === task.queueId) : undefined
    for (const line of detailLines(task, queue?.name)) print(line)
  })
}

/** A new link in place of one that expired. */
export async function refreshLink(id: TaskId, url: string, flags: Flags): Promise<number> {
  return withQueue(flags, async (queue) => {
    await queue.client.call('tasks.refreshLink', { id, url })
    if (flags.json) printJson({ id, url })
    else print(`${id}\t${printableLink(url)}`)
    sayWhenItStarts(queue)
  })
}

export type SetFlags = Flags &
  StartFlags & { limitRate?: number | 'none'; connections?: number | 'default'; queue?: string }

/** Changes tasks, also while they run. */
export async function set(args: string[], flags: SetFlags): Promise<number> {
  const ids = args.map(parseTaskId)
  const { limitRate, connections, queue: name } = flags
  const startAt = readStart(flags)
  if (limitRate === undefined && connections === undefined && name === undefined && startAt === undefined)
    throw new NighthaulError(
      'usage',
      'Say what to change: --limit-rate, --connections, --queue, --start-at or --start-in',
    )
  return withQueue(flags, async (queue) => {
    const { count } = await queue.client.call('tasks.update', {
      selection: await existing(queue, ids),
      limitBytesPerSecond: limitRate === 'none' ? null : limitRate,
      connections: connections === 'default' ? null : connections,
      startAt,
      queueId: name === undefined ? undefined : (await queueNamed(queue.client, name)).id,
    })
    answer(flags, count, 'changed')
  })
}

/** Runs downloads now. */
export async function force(args: string[], flags: Flags): Promise<number> {
  const ids = args.map(parseTaskId)
  return withQueue(flags, async (queue) => {
    const { count } = await queue.client.call('tasks.force', { selection: await existing(queue, ids) })
    answer(flags, count, 'forced')
    if (count > 0) sayWhenItStarts(queue)
  })
}

/** `before`: the task they come to stand before; null: behind all. */
export async function reorder(args: string[], before: TaskId | 'first' | null, flags: Flags): Promise<number> {
  const ids = args.map(parseTaskId)
  return withQueue(flags, async (queue) => {
    const { count } = await queue.client.call('tasks.reorder', { selection: await existing(queue, ids), before })
    answer(flags, count, 'moved')
  })
}

export type Move = 'pause' | 'resume' | 'retry'

const MOVED: Record<Move, string> = { pause: 'paused', resume: 'resumed', retry: 'queued again' }

export async function move(verb: Move, args: string[], flags: Flags): Promise<number> {
  const all = args.length === 1 && args[0] === 'all'
  const ids = all ? [] : args.map(parseTaskId)
  return withQueue(flags, async (queue) => {
    const selection: Selection = all
      ? { filter: { states: TASK_STATES.filter(isUnfinished) } }
      : await existing(queue, ids)
    const { count } = await queue.client.call(`tasks.${verb}`, { selection })
    answer(flags, count, MOVED[verb])
    if (verb !== 'pause' && count > 0) sayWhenItStarts(queue)
  })
}

/** A selection of these tasks once it is certain that all of them exist: a mistyped id must not be half obeyed. */
export async function existing({ client }: Queue, ids: TaskId[]): Promise<Selection> {
  for (const id of ids) await client.call('tasks.get', { id })
  return { ids: [...new Set(ids)] }
}

function answer(flags: Flags, count: number, done: string): void {
  if (flags.json) printJson({ count })
  else print(`${formatCount(count)} ${count === 1 ? 'download' : 'downloads'} ${done}`)
}
