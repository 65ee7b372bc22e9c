/**
 * A file of the list joins the list there is. What is here stays: downloads that are in both are kept once, settings
 * that were chosen here, rules, queues, profiles and repeating downloads too. Entries that cannot be used are named one by one; the others are added
 * in one transaction. Progress is believed where the partial is here and its blocks have their checksums.
 */
import { basename, isAbsolute, resolve } from 'node:path'
import { NighthaulError } from '../../shared/errors.ts'
import { formatCount } from '../../shared/format.ts'
import {
  type ImportInput,
  type ImportResult,
  LIST_FORMAT,
  LIST_VERSION,
  ListedHostRule,
  ListedSettings,
  ListedTask,
  ListHead,
} from '../../shared/list-file.ts'
import type { ImportedTask } from '../../shared/list-records.ts'
import type { TaskPatch } from '../../shared/records.ts'
import type { SettingsPatch, TaskId } from '../../shared/schemas.ts'
import { sanitizeFilename } from './filename.ts'
import { splitCredentials } from './http/credentials.ts'
import { fromRuns } from './list-export.ts'
import { readProfiles, readQueue, readRepeat, reasonOf } from './list-import-plans.ts'
import { partPathOf } from './place.ts'
import type { EngineDeps } from './ports.ts'

const MOST_REFUSALS = 1_000
/** More than a file of the largest size can hold of any use; others would be looked at for minutes, one by one. */
const MOST_ENTRIES = 500_000

/**
 * @returns what became of it, and the ids of the added
 * @throws `list_file_invalid` where it is no such file, or one of a newer Nighthaul; nothing was changed then
 */
export async function importList(
  { text, folder, paused }: ImportInput,
  deps: Pick<EngineDeps, 'store' | 'fs' | 'clock'>,
): Promise<{ result: ImportResult; ids: TaskId[] }> {
  if (folder !== undefined && !isAbsolute(folder))
    throw new NighthaulError('invalid_input', `“${folder}” is not an absolute folder. Nothing was imported.`, {
      folder,
    })
  const { head, entries } = parse(text)
  const refused: ImportResult['refused'] = []
  let refusedInAll = 0
  const refuse = (what: ImportResult['refused'][number]['what'], position: number, reason: string) => {
    refusedInAll++
    if (refused.length < MOST_REFUSALS) refused.push({ what, position, reason })
  }
  /** `read` answers null for what it refused */
  const readAll = <T>(
    what: 'queue' | 'host rule' | 'repeat',
    values: readonly unknown[],
    read: (value: unknown, refuse: (reason: string) => void) => T | null,
  ): T[] =>
    values.flatMap((value, index) => {
      const usable = read(value, (reason) => refuse(what, index + 1, reason))
      return usable === null ? [] : [usable]
    })

  const queues = readAll('queue', head.queues, (value, reject) => readQueue(value, folder, reject))
  const profiles = readProfiles(head.profiles, (position, reason) => refuse('profile', position, reason))
  const how = { folder, paused, now: deps.clock.now() }
  const repeats = readAll('repeat', head.repeats, (value, reject) => readRepeat(value, how, reject))
  const hostRules = readAll('host rule', head.hostRules, (value, reject) => {
    const parsed = ListedHostRule.safeParse(value)
    if (!parsed.success) reject(reasonOf(parsed.error))
    return parsed.success ? parsed.data : null
  })
  const settings = readSettings(head.settings, (position, reason) => refuse('setting', position, reason))
  const present = new Doubles(deps.store)
  const tasks: ImportedTask[] = []
  let duplicates = 0
  for (const [index, entry] of entries.entries()) {
    const parsed = ListedTask.safeParse(entry)
    if (!parsed.success) {
      refuse('download', index + 1, reasonOf(parsed.error))
      continue
    }
    const target = folder ?? parsed.data.folder
    if (!isAbsolute(target)) {
      refuse('download', index + 1, `“${target}” is no absolute folder on this machine`)
      continue
    }
    const task = imported({ ...parsed.data, folder: resolve(target) }, paused, deps.clock.now())
    if (present.has(task)) duplicates++
    else tasks.push(await withPartial(task, folder !== undefined, deps))
  }
  const { ids, ...counts } = deps.store.importList({ queues, hostRules, settings, tasks, profiles, repeats })
  return { ids, result: { added: ids.length, duplicates, refused, refusedInAll, ...counts } }
}

function parse(text: string): { head: ListHead; entries: readonly unknown[] } {
  let value: unknown
  try {
    value = JSON.parse(text.replace(/^\uFEFF/, ''))
  } catch {
    throw notAList('it is no JSON, or was cut off')
  }
  const { tasks, ...rest } = (value ?? {}) as { tasks?: unknown }
  const head = ListHead.safeParse(rest)
  if (!head.success) throw notAList(`it has no “format”: “${LIST_FORMAT}” with a version`)
  if (head.data.version > LIST_VERSION)
    throw new NighthaulError(
      'list_file_invalid',
      `The file was written by a newer Nighthaul (version ${head.data.version} of the format). Nothing was imported; update this one.`,
      { version: head.data.version },
    )
  if (!Array.isArray(tasks)) throw notAList('it has no list “tasks”')
  const { queues, repeats, hostRules } = head.data
  if ([tasks, queues, repeats, hostRules].some(({ length }) => length > MOST_ENTRIES))
    throw notAList(`it has more than ${formatCount(MOST_ENTRIES)} entries of a kind`)
  return { head: head.data, entries: tasks }
}

function notAList(why: string): NighthaulError {
  return new NighthaulError('list_file_invalid', `This is no exported list: ${why}. Nothing was imported.`)
}

function readSettings(value: unknown, refuse: (position: number, reason: string) => void): SettingsPatch {
  if (typeof value !== 'object' || value === null) return {}
  const entries = Object.entries(value).filter(([key, setting], index) => {
    const schema = Object.hasOwn(ListedSettings.shape, key)
      ? ListedSettings.shape[key as keyof typeof ListedSettings.shape]
      : undefined
    const sound = schema?.safeParse(setting).success ?? false
    if (!sound) refuse(index + 1, schema === undefined ? `there is no setting “${key}”` : `“${key}” cannot be used`)
    return sound
  })
  return Object.fromEntries(entries)
}

/** Names come from elsewhere; marks count as written, and not as being on the disk. */
function imported(entry: ListedTask, paused: boolean, now: number): ImportedTask {
  const { state, queue, options, pieces, mirrors, segments, blocks, folder, createdAt = now } = entry
  const filename = entry.filename === undefined ? null : sanitizeFilename(entry.filename)
  const startAt = entry.startAt !== undefined && entry.startAt > now ? entry.startAt : undefined
  const goesOn = state === 'queued' || state === 'active' || state === 'waiting' || state === 'finishing'
  const patch: TaskPatch = {
    sizeBytes: entry.sizeBytes ?? null,
    finalUrl: entry.finalUrl ?? null,
    etag: entry.etag ?? null,
    lastModified: entry.lastModified ?? null,
    lastModifiedStrong: entry.lastModifiedStrong,
    contentType: entry.contentType ?? null,
    contentEncoding: entry.contentEncoding ?? null,
    acceptsRanges: entry.acceptsRanges ?? null,
    foundDigests: entry.foundDigests,
    startedAt: entry.startedAt ?? null,
    finishedAt: entry.finishedAt ?? null,
    // Its file is not ours to look after.
    fsyncedAt: state === 'done' ? (entry.finishedAt ?? now) : null,
    writtenBytes: state === 'done' ? (entry.sizeBytes ?? 0) : 0,
    ...((state === 'failed' || state === 'changed') && entry.error ? { error: errorOf(entry.error) } : {}),
  }
  return {
    task: {
      url: splitCredentials(new URL(entry.url)).url.href,
      requestedFilename: entry.requestedFilename === undefined ? null : sanitizeFilename(entry.requestedFilename),
      folder,
      state: goesOn ? (paused ? 'paused' : startAt === undefined ? 'queued' : 'waiting') : state,
      startAt,
      options,
      createdAt,
      leaseOwner: null,
      ...(pieces && { pieces }),
      ...(mirrors && { mirrors }),
    },
    queue: queue ?? null,
    filename,
    partPath: entry.partPath ?? null,
    patch,
    segments: segments.map(([start, end, written]) => ({ start, end, written, durable: start })),
    blocks: fromRuns(blocks),
  }
}

/** Why it failed. A file that an error names would go with the download when that is removed: none is believed. */
function errorOf(error: NonNullable<ListedTask['error']>): TaskPatch['error'] {
  const { path: _, earlierPath: __, ...params } = error.params
  return { ...error, params } as TaskPatch['error']
}

/** Without its partial it begins anew. */
async function withPartial(task: ImportedTask, moved: boolean, { fs }: Pick<EngineDeps, 'fs'>): Promise<ImportedTask> {
  if (task.task.state === 'done') return task
  const { folder } = task.task
  // A file says where partials lie, and may say anything: what is called otherwise is no partial of this file.
  const isOurs = task.partPath !== null && basename(task.partPath) === `${task.filename}.part`
  const partPath = moved || !isOurs ? null : task.partPath
  const path = partPathOf({ folder, filename: task.filename, partPath })
  const here =
    path !== null && isAbsolute(path) && task.segments.length > 0 && (await fs.stat(path).catch(() => null)) !== null
  if (here) return { ...task, partPath }
  return { ...task, filename: null, partPath: null, segments: [], blocks: [] }
}

/** What is in the list, or came before in the file: the same link, folder and name, asked for in the same way. */
class Doubles {
  readonly #names = new Map<string, Set<string | null>>()

  constructor(store: Pick<EngineDeps['store'], 'taskNames'>) {
    for (const { url, folder, method, body, name } of store.taskNames()) this.#add([url, folder, method, body], name)
  }

  /** Adds it too. A name that is not known yet may be any. */
  has({ task, filename }: ImportedTask): boolean {
    const { method = null, body } = task.options
    const key = [
      task.url,
      task.folder,
      method === 'GET' ? null : method,
      body === undefined ? null : JSON.stringify(body),
    ]
    const names = this.#names.get(JSON.stringify(key))
    const name = filename ?? task.requestedFilename
    if (names !== undefined && (name === null || names.has(null) || names.has(name))) return true
    this.#add(key, name)
    return false
  }

  #add(key: readonly (string | null)[], name: string | null): void {
    const text = JSON.stringify(key)
    const names = this.#names.get(text) ?? new Set()
    this.#names.set(text, names.add(name))
  }
}
