/**
 * Keeps an engine busy: adds downloads, verifies and removes what ends, and notices what is lost. The engine may be gone
 * at any moment; what a call was to do is then looked up when it is back.
 */
import { existsSync } from 'node:fs'
import type { TaskId, TaskRow } from '../../shared/schemas.ts'
import { TASK_STATES } from '../../shared/task-state.ts'
import type { FaultScript, FaultServer } from '../helpers/fault-server.ts'
import type { EngineProcess } from './engine-process.ts'
import type { Counts } from './figures.ts'
import { type Job, makeJob, type ServerName } from './jobs.ts'
import type { Random } from './random.ts'
import { faultOf } from './verify.ts'

const BATCH = 40
const PAGE = 500

interface Entry {
  readonly job: Job
  /** null: the engine has not said yet that it has it */
  id: TaskId | null
  /** somebody asked for its removal, and it may be gone */
  removing: boolean
  /** its end was judged */
  judged: boolean
}

export interface Load {
  /** ids of tasks that have not ended, as far as anybody knows */
  unfinished(): TaskId[]
  readonly size: number
  /** adds until so many tasks are in the list */
  fill(target: number): Promise<void>
  /** judges what has ended, and removes it */
  settle(): Promise<void>
  /** after a restart: compares what the engine has with what it had said it has */
  reconcile(): Promise<void>
  /** removes unfinished tasks with what they had written, as a user does */
  remove(ids: readonly TaskId[]): Promise<void>
  /** removes them and takes that back */
  removeAndRestore(ids: readonly TaskId[]): Promise<void>
  /** one line for each task that is still there */
  left(): Promise<string[]>
}

export function createLoad(
  engine: EngineProcess,
  servers: Record<ServerName, FaultServer>,
  random: Random,
  counts: Counts,
  complain: (line: string) => void,
): Load {
  const entries = new Map<string, Entry>()
  let made = 0

  const serve = (job: Job) => {
    const server = servers[job.server]
    const counted =
      (script: FaultScript | null): FaultScript =>
      (request, index) => {
        counts.requests++
        return script?.(request, index) ?? null
      }
    server.add(job.path, job.resource)
    server.fault(job.path, counted(job.script))
    if (job.target) {
      server.add(job.target.path, job.target.resource)
      server.fault(job.target.path, counted(null))
    }
    return server.url(job.path)
  }

  const forget = (url: string, { job }: Entry) => {
    entries.delete(url)
    for (const path of [job.path, job.target?.path]) if (path) servers[job.server].fault(path, null)
  }

  const add = async (batch: readonly [url: string, entry: Entry][]) => {
    const { caPem } = servers.tls
    const items = batch.map(([url, { job }]) => ({
      url,
      options: { ...job.options, ...(servers[job.server].origin.startsWith('https:') ? { caPem } : {}) },
    }))
    const added = await engine.call('tasks.add', { items, folder: engine.files })
    added?.items.forEach(({ id, duplicate }, index) => {
      const [url, entry] = batch[index]!
      if (duplicate) complain(`${url} was added once and is said to be there twice`)
      entry.id = id
    })
  }

  /** Every row in these states. */
  const rows = async (states: TaskRow['state'][]): Promise<TaskRow[] | null> => {
    const all: TaskRow[] = []
    for (;;) {
      const page = await engine.call('tasks.list', { states, limit: PAGE, offset: all.length, sort: 'created' })
      if (!page) return null
      all.push(...page.rows)
      if (page.rows.length < PAGE) return all
    }
  }

  const judge = async (row: TaskRow, entry: Entry): Promise<void> => {
    const { job } = entry
    const task = await engine.call('tasks.get', { id: row.id })
    if (!task || entry.judged) return
    entry.judged = true
    const story = () => `${row.url} (${job.kind}, ${job.resource.size} bytes): ${JSON.stringify(task)}`
    if (task.state === 'done') {
      const fault = await faultOf(task.path!, job.versions)
      if (fault === null) counts.right++
      else counts.wrong++
      if (fault === null) counts.bytes += task.sizeBytes ?? 0
      else complain(`WRONG: ${fault}: ${story()}`)
    } else if (task.error && job.mayFail.includes(task.error.code)) {
      counts.refused[task.error.code] = (counts.refused[task.error.code] ?? 0) + 1
    } else {
      counts.unexpected++
      complain(`FAILED: ${story()}`)
    }
  }

  const removeAll = async (gone: readonly [url: string, entry: Entry][]): Promise<void> => {
    if (gone.length === 0) return
    for (const [, entry] of gone) entry.removing = true
    const ids = gone.map(([, { id }]) => id!)
    if (await engine.call('tasks.remove', { selection: { ids }, deleteFiles: true, now: true }))
      for (const [url, entry] of gone) forget(url, entry)
  }

  const chosen = (ids: readonly TaskId[]) => {
    const wanted = new Set(ids)
    return [...entries].filter(([, { id, judged }]) => id !== null && wanted.has(id) && !judged)
  }

  return {
    unfinished: () => [...entries.values()].flatMap(({ id, removing }) => (id === null || removing ? [] : [id])),
    get size() {
      return entries.size
    },
    async fill(target) {
      while (entries.size < target && engine.isUp) {
        const batch = Array.from({ length: BATCH }, (): [string, Entry] => {
          const job = makeJob(random, ++made)
          return [serve(job), { job, id: null, removing: false, judged: false }]
        })
        for (const [url, entry] of batch) entries.set(url, entry)
        await add(batch)
      }
    },
    async settle() {
      const ended = await rows(['done', 'failed', 'changed', 'paused'])
      const gone: [string, Entry][] = []
      for (const row of ended ?? []) {
        const entry = entries.get(row.url)
        // Removed while we looked.
        if (!entry || entry.removing) continue
        // Paused by us: goes on when the soak says so. With an error it will not go on by itself.
        if (row.state === 'paused' && row.error === null) continue
        await judge(row, entry)
        if (entry.judged) gone.push([row.url, entry])
      }
      await removeAll(gone)
    },
    async reconcile() {
      const all = await rows([...TASK_STATES])
      if (!all) return
      const present = new Map(all.map((row) => [row.url, row]))
      const again: [string, Entry][] = []
      const unremoved: [string, Entry][] = []
      for (const [url, entry] of entries) {
        const row = present.get(url)
        if (entry.removing) {
          if (row) unremoved.push([url, entry])
          else forget(url, entry)
        } else if (row) entry.id = row.id
        else if (entry.id === null) again.push([url, entry])
        else {
          counts.lost++
          complain(`LOST: task ${entry.id}, ${url} (${entry.job.kind}), was acknowledged and is gone`)
          forget(url, entry)
        }
      }
      for (const row of all) if (!entries.has(row.url)) complain(`BACK: task ${row.id}, ${row.url}, had been removed`)
      await removeAll(unremoved)
      if (again.length > 0) await add(again)
    },
    async remove(ids) {
      const gone = chosen(ids)
      counts.removed += gone.length
      await removeAll(gone)
    },
    async removeAndRestore(ids) {
      const gone = chosen(ids)
      // Where the engine is killed in between they may be there or not: looked up when it is back.
      for (const [, entry] of gone) entry.removing = true
      const selection = { ids: gone.map(([, { id }]) => id!) }
      const removed = await engine.call('tasks.remove', { selection, deleteFiles: random.chance(0.5) })
      if (!removed) return
      const { removal } = removed
      const restored = removal === null ? { count: 0 } : await engine.call('tasks.restore', { removal })
      if (!restored) return
      counts.restored += restored.count
      if (restored.count !== removed.count)
        complain(`RESTORED: ${restored.count} of ${removed.count} removed tasks came back`)
      for (const [, entry] of gone) entry.removing = false
    },
    async left() {
      const all = (await rows([...TASK_STATES])) ?? []
      return all.map((row) => {
        const there = existsSync(`${row.folder}/${row.filename}.part`)
        return `task ${row.id}, ${row.url} (${entries.get(row.url)?.job.kind}): ${row.state}, ${row.writtenBytes} of ${row.sizeBytes} bytes, part ${there}, ${JSON.stringify(row.error)}, retry ${row.retryAt}`
      })
    },
  }
}
