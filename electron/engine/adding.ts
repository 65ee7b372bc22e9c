/** New tasks: parsed input into records, duplicates named, and (for `get`) unfinished tasks taken over. */
import { isAbsolute, resolve } from 'node:path'
import { NighthaulError } from '../../shared/errors.ts'
import type { CategoryRule } from '../../shared/queues.ts'
import { MOST_MIRRORS, type NewMirror, type NewTask, type TaskRecord } from '../../shared/records.ts'
import type { AddItem, AddTasksInput, AddTasksResult, TaskOptions } from '../../shared/schemas.ts'
import { isRunning } from '../../shared/task-state.ts'
import { categoryFolder } from './categories.ts'
import { sanitizeFilename } from './filename.ts'
import { loginOf, splitCredentials } from './http/credentials.ts'
import { isPlainGet } from './http/redirects.ts'
import type { EngineDeps } from './ports.ts'

export interface AddingDeps extends Pick<EngineDeps, 'store' | 'clock' | 'lease' | 'isOwnerAlive' | 'isQueueOwned'> {
  defaultFolder: () => string
  /** rules for folders of the queue they go to, for what names no folder */
  categories: () => readonly CategoryRule[]
  /** what was adopted has to be queued again */
  adopted: (task: TaskRecord) => void
}

interface Item {
  url: string
  folder: string
  mirrors: NewMirror[]
  filename: string | null
  options: TaskOptions
  pieces: AddItem['pieces']
}

/**
 * One transaction for all that is new. Throws `invalid_input` or, where a lease is asked for, `task_leased`; nothing
 * was added or taken over then.
 */
export function addTasks(input: AddTasksInput, deps: AddingDeps): AddTasksResult {
  const asked = input.folder ?? deps.defaultFolder()
  if (!isAbsolute(asked))
    throw new NighthaulError('invalid_input', `“${asked}” is not an absolute folder. Nothing was added.`, {
      folder: asked,
    })
  // One folder, one spelling: duplicates and reserved names are found by it.
  const folder = resolve(asked)
  const rules = input.folder === undefined ? deps.categories() : []
  const items = input.items.map((item): Item => {
    const plain = normalize(item, input.options)
    return { ...plain, folder: resolve(categoryFolder(rules, plain, folder) ?? folder) }
  })
  const known = new Map(
    [...(input.onDuplicate === 'skip' ? Map.groupBy(items, (item) => item.folder) : [])].map(([place, some]) => [
      place,
      deps.store.findUnfinishedUrls(
        place,
        some.map(({ url }) => url),
      ),
    ]),
  )
  const result: AddTasksResult['items'] = []
  const fresh: { index: number; task: NewTask }[] = []
  const adoptions: { task: TaskRecord; item: Item }[] = []
  const seen = new Map<string, number>()
  items.forEach((item, index) => {
    const existing = known.get(item.folder)?.has(item.url)
      ? deps.store.findUnfinished({ url: item.url, folder: item.folder, requestedFilename: item.filename }, (task) =>
          asksTheSame(task.options, item.options),
        )
      : null
    const { method, body } = item.options
    const key = JSON.stringify([item.url, item.filename, method ?? 'GET', body])
    const twin = input.onDuplicate === 'skip' ? seen.get(key) : undefined
    if (existing) {
      adoptions.push({ task: existing, item })
      result[index] = { id: existing.id, duplicate: true }
    } else if (twin !== undefined) {
      result[index] = { id: -1 - twin, duplicate: true }
    } else {
      seen.set(key, index)
      fresh.push({ index, task: newTask(item, input, deps) })
    }
  })
  if (deps.lease !== null) {
    for (const { task } of adoptions) if (isBusy(task, deps)) throw busy(task)
    for (const { task, item } of adoptions) adopt(task, item, deps)
  }
  const ids = deps.store.addTasks(fresh.map((f) => f.task))
  fresh.forEach((f, n) => {
    result[f.index] = { id: ids[n]!, duplicate: false }
  })
  return { items: result.map((r) => (r.id < 0 ? { ...r, id: result[-1 - r.id]!.id } : r)) }
}

/** The link as it is stored and shown: without the user, whose password goes where passwords are kept. */
function normalize(item: AddItem, shared: TaskOptions | undefined): Omit<Item, 'folder'> {
  const url = new URL(item.url)
  const given = { ...shared, ...item.options }
  const own = given.user === undefined && given.password === undefined ? loginOf(url) : null
  const link = splitCredentials(url).url.href
  return {
    mirrors: mirrorsOf(item, link, given),
    // The fragment is the browser's business (RFC 9110 §7.1); one file should not be two tasks because of it.
    url: link,
    filename: item.filename ? sanitizeFilename(item.filename) : null,
    options: { ...own, ...given },
    pieces: item.pieces,
  }
}

/** The task's own URL and the others, each once; none where there are no others. Throws `invalid_input`. */
function mirrorsOf(item: AddItem, link: string, options: TaskOptions): NewMirror[] {
  const given = item.mirrors ?? []
  if (given.length > 0 && !isPlainGet(options))
    throw new NighthaulError(
      'invalid_input',
      'Mirrors are for a plain GET: what another server would answer to this request is not known. Nothing was added.',
    )
  const others = given.map(({ url, ...mirror }): NewMirror => {
    const split = splitCredentials(new URL(url))
    if (split.login)
      throw new NighthaulError(
        'invalid_input',
        `The mirror at “${split.url.host}” was given with a user or password, which would be stored with its address. Nothing was added; put the login into a netrc file or a rule for that host.`,
        { host: split.url.host },
      )
    return { ...mirror, url: split.url.href }
  })
  const first = Math.min(1, ...others.map(({ priority }) => priority))
  const own: NewMirror = { url: link, priority: first, location: null, origin: 'user' }
  const distinct = [
    ...new Map([own, ...others].toReversed().map((mirror) => [mirror.url, mirror])).values(),
  ].toReversed()
  const all = [own, ...distinct.filter(({ url }) => url !== link)].slice(0, MOST_MIRRORS)
  return all.length > 1 ? all : []
}

function newTask(item: Item, input: AddTasksInput, deps: AddingDeps): NewTask {
  const { startAt } = input
  const startsLater = startAt !== undefined && startAt > deps.clock.now()
  return {
    url: item.url,
    requestedFilename: item.filename,
    folder: item.folder,
    state: input.paused ? 'paused' : startsLater ? 'waiting' : 'queued',
    options: item.options,
    createdAt: deps.clock.now(),
    queueId: input.queueId,
    ...(startsLater && { startAt }),
    leaseOwner: deps.lease,
    ...(item.pieces && { pieces: item.pieces }),
    ...(item.mirrors.length > 0 && { mirrors: item.mirrors }),
  }
}

/** Somebody else is at it, or about to be. */
function isBusy(task: TaskRecord, deps: AddingDeps): boolean {
  if (task.leaseOwner !== null) return task.leaseOwner !== deps.lease && deps.isOwnerAlive(task.leaseOwner)
  const queued =
    task.state === 'queued' || task.state === 'active' || task.state === 'waiting' || task.state === 'finishing'
  return queued && deps.isQueueOwned()
}

function busy(task: TaskRecord): NighthaulError {
  return new NighthaulError(
    'task_leased',
    `${task.url} is already being downloaded by another Nighthaul process (task ${task.id}). Nothing was started; pause it there first.`,
    { id: task.id },
  )
}

/** `get` run again continues where it was. */
function adopt(task: TaskRecord, { options, mirrors }: Item, deps: AddingDeps): void {
  const { lease, store } = deps
  // It runs here already, just as it was asked for.
  if (task.leaseOwner === lease && isRunning(task.state)) return
  if (task.leaseOwner !== lease && !store.takeLease(task.id, lease!, task.leaseOwner)) throw busy(task)
  store.updateTask(task.id, { options: { ...accessOf(task.options), ...options } }, { intent: true })
  if (mirrors.length > 0) store.addMirrors(task.id, mirrors)
  deps.adopted(store.getTask(task.id)!)
}

/** What it takes to reach the file stays with a task that is taken over; how to go about it is the new command's. */
function accessOf(options: TaskOptions): TaskOptions {
  const { method, body, headers, user, password, auth, bearer, netrcFile } = options
  const { cookies, proxy, caPem, clientCertificate } = options
  return { method, body, headers, user, password, auth, bearer, netrcFile, cookies, proxy, caPem, clientCertificate }
}

/** Two tasks of one link are the same download only where they ask the same: a POST is told by its body. */
function asksTheSame(a: TaskOptions, b: TaskOptions): boolean {
  return (a.method ?? 'GET') === (b.method ?? 'GET') && JSON.stringify(a.body) === JSON.stringify(b.body)
}
