/** The list as parts of a file. Secrets are left out unless they are asked for. */
import type { HostRule } from '../../shared/host-schemas.ts'
import { type BlockRun, type ExportInput, type ExportPage, LIST_FORMAT, LIST_VERSION } from '../../shared/list-file.ts'
import { BLOCK_BYTES, type BlockChecksum, type TaskRecord } from '../../shared/records.ts'
import type { RepeatSettings } from '../../shared/repeats.ts'
import { DEFAULT_QUEUE_ID, type SettingsPatch, type TaskOptions } from '../../shared/schemas.ts'
import type { EngineDeps } from './ports.ts'

/** Headers that say nothing about who asks. All others may. */
const HARMLESS_HEADERS = new Set([
  'accept',
  'accept-language',
  'cache-control',
  'dnt',
  'origin',
  'referer',
  'user-agent',
])

/** One part; the first has the head of the file. */
export function exportPage(
  { secrets, after, limit }: ExportInput,
  deps: Pick<EngineDeps, 'store' | 'clock'>,
): ExportPage {
  const { store } = deps
  let secretsLeftOut = 0
  const strip = <T>(value: T, without: (value: T) => T): T => {
    if (secrets) return value
    const stripped = without(value)
    if (JSON.stringify(stripped) !== JSON.stringify(value)) secretsLeftOut++
    return stripped
  }
  const queues = store.queues()
  const names = new Map(queues.filter(({ id }) => id !== DEFAULT_QUEUE_ID).map(({ id, name }) => [id, name]))
  const records = store.tasksAfter(after, limit)
  const tasks = records.map((task) => listed(strip(task, withoutTaskSecrets), names.get(task.queueId), store))
  const head: ExportPage['head'] =
    after > 0
      ? null
      : {
          format: LIST_FORMAT,
          version: LIST_VERSION,
          exportedAt: new Date(deps.clock.now()).toISOString(),
          secrets,
          settings: strip(listedSettings(store.getSettings()), withoutSettingsSecrets),
          queues: queues.map(({ id, whenDone: _whenDone, ...queue }) => ({
            ...queue,
            ...(id === DEFAULT_QUEUE_ID && { isDefault: true }),
          })),
          profiles: store.scheduleState().profiles,
          repeats: store.repeats().map(({ settings, state }) => {
            const { queueId, ...rest } = strip(settings, withoutRepeatSecrets)
            const queue = names.get(queueId)
            return { ...rest, runs: state.runs, ...(queue !== undefined && { queue }) }
          }),
          hostRules: store.hostRules().map((rule) => strip(rule, withoutRuleSecrets)),
        }
  return { head, tasks, next: records.length < limit ? null : records.at(-1)!.position, secretsLeftOut }
}

function listed(task: TaskRecord, queue: string | undefined, store: EngineDeps['store']): ExportPage['tasks'][number] {
  const { url, folder, state, options, createdAt, lastModifiedStrong, foundDigests } = task
  const unfinished = state !== 'done'
  const mirrors = store
    .mirrors(task.id)
    .map(({ url, priority, location, origin }) => ({ url: withoutLogin(url), priority, location, origin }))
  return {
    url,
    folder,
    ...known({
      filename: task.filename,
      requestedFilename: task.requestedFilename,
      partPath: unfinished ? task.partPath : null,
      startedAt: task.startedAt,
      startAt: unfinished ? task.startAt : null,
      finishedAt: task.finishedAt,
      sizeBytes: task.sizeBytes,
      finalUrl: task.finalUrl,
      etag: task.etag,
      lastModified: task.lastModified,
      contentType: task.contentType,
      contentEncoding: task.contentEncoding,
      acceptsRanges: task.acceptsRanges,
      error: task.error as NonNullable<ExportPage['tasks'][number]['error']> | null,
      pieces: store.pieces(task.id),
    }),
    state,
    ...(queue !== undefined && { queue }),
    options,
    createdAt,
    lastModifiedStrong,
    ...(foundDigests.length > 0 && { foundDigests: [...foundDigests] }),
    ...(mirrors.length > 0 && { mirrors }),
    ...(unfinished && task.writtenBytes > 0 ? progressOf(task, store) : {}),
  }
}

/** What is null is left out. */
function known<T extends object>(values: T): { [K in keyof T]?: NonNullable<T[K]> } {
  return Object.fromEntries(Object.entries(values).filter(([, value]) => value !== null)) as {
    [K in keyof T]?: NonNullable<T[K]>
  }
}

function progressOf(task: TaskRecord, store: EngineDeps['store']) {
  const segments = store
    .segments(task.id)
    .map(({ start, end, written }) => [start, end, written] as [number, number | null, number])
  return { segments, blocks: toRuns(store.blocks(task.id)) }
}

/** Neighbours together; a block that is shorter ends its run. Pure. */
export function toRuns(blocks: readonly BlockChecksum[]): BlockRun[] {
  const runs: BlockChecksum[][] = []
  for (const block of [...blocks].sort((a, b) => a.index - b.index)) {
    const last = runs.at(-1)?.at(-1)
    if (last !== undefined && last.index + 1 === block.index && last.bytes === BLOCK_BYTES) runs.at(-1)!.push(block)
    else runs.push([block])
  }
  return runs.map((run) => {
    const bytes = Buffer.alloc(4 * run.length)
    for (const [index, { crc32 }] of run.entries()) bytes.writeUInt32LE(crc32, 4 * index)
    return { from: run[0]!.index, crc32: bytes.toString('base64'), lastBytes: run.at(-1)!.bytes }
  })
}

/** The reverse. Pure. */
export function fromRuns(runs: readonly BlockRun[]): BlockChecksum[] {
  return runs.flatMap(({ from, crc32, lastBytes }) => {
    const bytes = Buffer.from(crc32, 'base64')
    const count = Math.floor(bytes.length / 4)
    return Array.from({ length: count }, (_, index) => ({
      index: from + index,
      crc32: bytes.readUInt32LE(4 * index),
      bytes: index === count - 1 ? lastBytes : BLOCK_BYTES,
    }))
  })
}

// ── secrets ──

function withoutTaskSecrets(task: TaskRecord): TaskRecord {
  return {
    ...task,
    url: withoutLogin(task.url),
    finalUrl: task.finalUrl && withoutLogin(task.finalUrl),
    options: withoutOptionSecrets(task.options),
  }
}

function withoutOptionSecrets(options: TaskOptions): TaskOptions {
  const { password: _p, cookies: _c, bearer: _b, body: _d, clientCertificate: _k, headers, proxy, ...rest } = options
  return {
    ...rest,
    ...(headers && { headers: harmless(headers) }),
    ...(proxy !== undefined && { proxy: withoutLogin(proxy) }),
  }
}

function withoutRepeatSecrets(repeat: RepeatSettings): RepeatSettings {
  return { ...repeat, url: withoutLogin(repeat.url), options: withoutOptionSecrets(repeat.options) }
}

function withoutRuleSecrets(rule: HostRule): HostRule {
  const { password: _p, headers, proxy, ...rest } = rule
  return {
    ...rest,
    ...(headers && { headers: harmless(headers) }),
    ...(proxy !== undefined && { proxy: withoutLogin(proxy) }),
  }
}

/** What runs when all is done stays here: an import would not take it. */
function listedSettings({ whenDone: _whenDone, ...settings }: SettingsPatch): SettingsPatch {
  return settings
}

function withoutSettingsSecrets(settings: SettingsPatch): SettingsPatch {
  return settings.proxy ? { ...settings, proxy: withoutLogin(settings.proxy) } : settings
}

function harmless(headers: NonNullable<TaskOptions['headers']>): NonNullable<TaskOptions['headers']> {
  return headers.filter(([name]) => HARMLESS_HEADERS.has(name.toLowerCase()))
}

/** A link without user and password. */
function withoutLogin(text: string): string {
  const url = URL.parse(text)
  if (url === null || (url.username === '' && url.password === '')) return text
  url.username = ''
  url.password = ''
  return url.href
}
