/** New tasks: parsed input into records, duplicates named, and (for `get`) unfinished tasks taken over. */
import { isAbsolute } from 'node:path'
import { NighthaulError } from '../../shared/errors.ts'
import type { NewTask, TaskRecord } from '../../shared/records.ts'
import type { AddItem, AddTasksInput, AddTasksResult, TaskId } from '../../shared/schemas.ts'
import { sanitizeFilename } from './filename.ts'
import type { EngineDeps } from './ports.ts'

export interface AddingDeps extends Pick<EngineDeps, 'store' | 'clock' | 'lease' | 'isOwnerAlive' | 'isQueueOwned'> {
  defaultFolder: () => string
  /** what was adopted has to be queued again */
  adopted: (task: TaskRecord) => void
}

/** One transaction for all that is new. Throws `invalid_input` or, where a lease is asked for, `task_leased`. */
export function addTasks(input: AddTasksInput, deps: AddingDeps): AddTasksResult {
  const folder = input.folder ?? deps.defaultFolder()
  if (!isAbsolute(folder))
    throw new NighthaulError('invalid_input', `“${folder}” is not an absolute folder. Nothing was added.`, { folder })
  const items = input.items.map((item) => normalize(item))
  const known =
    input.onDuplicate === 'skip'
      ? deps.store.findUnfinishedUrls(
          folder,
          items.map((i) => i.url),
        )
      : new Map<string, TaskId>()
  const result: AddTasksResult['items'] = []
  const fresh: { index: number; task: NewTask }[] = []
  const seen = new Map<string, number>()
  items.forEach((item, index) => {
    const existing = known.has(item.url)
      ? deps.store.findUnfinished({ url: item.url, folder, requestedFilename: item.filename ?? null })
      : null
    const twin = input.onDuplicate === 'skip' ? seen.get(`${item.url}\n${item.filename ?? ''}`) : undefined
    if (existing) {
      if (deps.lease !== null) adopt(existing, item, input, deps)
      result[index] = { id: existing.id, duplicate: true }
    } else if (twin !== undefined) {
      result[index] = { id: -1 - twin, duplicate: true }
    } else {
      seen.set(`${item.url}\n${item.filename ?? ''}`, index)
      fresh.push({ index, task: newTask(item, folder, input, deps) })
    }
  })
  const ids = deps.store.addTasks(fresh.map((f) => f.task))
  fresh.forEach((f, n) => {
    result[f.index] = { id: ids[n]!, duplicate: false }
  })
  return { items: result.map((r) => (r.id < 0 ? { ...r, id: result[-1 - r.id]!.id } : r)) }
}

function normalize(item: AddItem): AddItem {
  // The fragment is the browser's business (RFC 9110 §7.1); one file should not be two tasks because of it.
  const url = new URL(item.url)
  url.hash = ''
  return { ...item, url: url.href, ...(item.filename ? { filename: sanitizeFilename(item.filename) } : {}) }
}

function newTask(item: AddItem, folder: string, input: AddTasksInput, deps: AddingDeps): NewTask {
  return {
    url: item.url,
    requestedFilename: item.filename ?? null,
    folder,
    state: input.paused ? 'paused' : 'queued',
    options: { ...input.options, ...item.options },
    createdAt: deps.clock.now(),
    leaseOwner: deps.lease,
  }
}

/** `get` run again continues where it was, unless somebody else is at it. */
function adopt(task: TaskRecord, item: AddItem, input: AddTasksInput, deps: AddingDeps): void {
  const { lease } = deps
  const busy = new NighthaulError(
    'task_leased',
    `${task.url} is already being downloaded by another Nighthaul process (task ${task.id}). Nothing was started; pause it there first.`,
    { id: task.id },
  )
  const queued =
    task.state === 'queued' || task.state === 'active' || task.state === 'waiting' || task.state === 'finishing'
  if (
    task.leaseOwner === null
      ? queued && deps.isQueueOwned()
      : task.leaseOwner !== lease && deps.isOwnerAlive(task.leaseOwner)
  )
    throw busy
  if (task.leaseOwner !== lease && !deps.store.takeLease(task.id, lease!, task.leaseOwner)) throw busy
  deps.store.updateTask(task.id, { options: { ...task.options, ...input.options, ...item.options } }, { intent: true })
  deps.adopted(deps.store.getTask(task.id)!)
}
