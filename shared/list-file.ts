/**
 * The whole list as one JSON file: what `nighthaul export` writes and `import` reads, and the window too. Progress goes
 * along, so that partials go on wherever their files are.
 */
import { z } from 'zod'
import { HostRule } from './host-schemas.ts'
import { ExpectedDigest, PieceHashes } from './integrity.ts'
import { AddQueueInput, QueueName } from './queues.ts'
import { AddRepeatInput } from './repeats.ts'
import { HttpUrl, MirrorInput, SettingsPatch, TaskOptions } from './schemas.ts'
import { TASK_STATES } from './task-state.ts'

export const LIST_FORMAT = 'nighthaul-list'
export const LIST_VERSION = 1

const Bytes = z.int().min(0)
const EpochMs = z.int().min(0).max(8_640_000_000_000_000)
const Name = z.string().min(1).max(1000)
const Text = z.string().max(65_536)

/** Bytes [start, written) of [start, end) are there; `end` null: the length is not known. */
const ListedSegment = z
  .tuple([Bytes, Bytes.nullable(), Bytes])
  .refine(([start, end, written]) => written >= start && (end === null || written <= end), 'no such segment')

/** CRC-32 of blocks of one MiB from block `from` on, 4 bytes each (little endian, base64); the last may be shorter. */
const BlockRun = z.object({
  from: z.int().min(0),
  crc32: z.base64().min(8),
  lastBytes: z
    .int()
    .min(1)
    .max(1024 * 1024),
})
export type BlockRun = z.infer<typeof BlockRun>

/** A download in the file. What is left out is not known. */
export const ListedTask = z.object({
  url: HttpUrl,
  folder: z.string().min(1).max(4096),
  filename: Name.optional(),
  requestedFilename: Name.optional(),
  partPath: z.string().min(1).max(8192).optional(),
  state: z.enum(TASK_STATES).default('queued'),
  /** by name; the default queue when left out */
  queue: QueueName.optional(),
  options: TaskOptions.default({}),
  createdAt: EpochMs.optional(),
  startedAt: EpochMs.optional(),
  /** not before */
  startAt: EpochMs.optional(),
  finishedAt: EpochMs.optional(),
  sizeBytes: Bytes.optional(),
  finalUrl: Text.optional(),
  etag: Text.optional(),
  lastModified: Text.optional(),
  lastModifiedStrong: z.boolean().default(false),
  contentType: Text.optional(),
  contentEncoding: Text.optional(),
  acceptsRanges: z.boolean().optional(),
  error: z.object({ code: Text, message: Text, params: z.record(z.string(), z.json()) }).optional(),
  foundDigests: z.array(ExpectedDigest).max(100).default([]),
  pieces: PieceHashes.optional(),
  mirrors: z.array(MirrorInput).max(100).optional(),
  segments: z
    .array(ListedSegment)
    .max(100_000)
    .refine(
      (all) => all.every(([start], index) => index === 0 || start >= (all[index - 1]![1] ?? Infinity)),
      'segments overlap',
    )
    .default([]),
  blocks: z.array(BlockRun).max(100_000).default([]),
})
export type ListedTask = z.output<typeof ListedTask>

export const ListHead = z.object({
  format: z.literal(LIST_FORMAT),
  version: z.int().positive(),
  exportedAt: z.string().max(100),
  /** whether passwords, cookies, tokens and the like are in it */
  secrets: z.boolean(),
  settings: z.unknown(),
  queues: z.array(z.unknown()).default([]),
  /** what of them differs from the defaults, by name */
  profiles: z.unknown().optional(),
  repeats: z.array(z.unknown()).default([]),
  hostRules: z.array(z.unknown()).default([]),
})

export type ListHead = z.output<typeof ListHead>

/** What it does when it is done stays here: a list from elsewhere must not run programs. */
export const ListedQueue = AddQueueInput.omit({ position: true, whenDone: true }).extend({
  /** of downloads that name none */
  isDefault: z.literal(true).optional(),
})
export type ListedQueue = z.output<typeof ListedQueue>
export const ListedProfiles = z.record(z.string(), z.unknown())
/** Files of earlier runs stay those of the list it comes from. */
export const ListedRepeat = AddRepeatInput.omit({ queueId: true }).extend({
  /** by name; the default queue when left out */
  queue: QueueName.optional(),
  /** how many there were: `{n}` of its names counts on */
  runs: z.int().min(0).default(0),
})
export const ListedHostRule = HostRule
export const ListedSettings = SettingsPatch.omit({ whenDone: true })

export const ExportInput = z.object({
  secrets: z.boolean().default(false),
  /** where the page before ended; 0: from the start, with the head of the file */
  after: z.int().min(0).default(0),
  limit: z.int().min(1).max(1000).default(500),
})
export type ExportInput = z.output<typeof ExportInput>

/** A part of the file. */
export interface ExportPage {
  head: z.input<typeof ListHead> | null
  tasks: z.input<typeof ListedTask>[]
  /** null: this was the last */
  next: number | null
  /** of how many downloads (and rules and settings) secrets were left out */
  secretsLeftOut: number
}

export const MOST_IMPORT_CHARACTERS = 50_000_000

export const ImportInput = z.object({
  /** the file’s content */
  text: z.string().max(MOST_IMPORT_CHARACTERS),
  /** absolute, on the engine’s machine: in place of the folders in the file */
  folder: z.string().min(1).max(4096).optional(),
  paused: z.boolean().default(false),
})
export type ImportInput = z.output<typeof ImportInput>

export type ImportedKind = 'download' | 'queue' | 'host rule' | 'setting' | 'profile' | 'repeat'

export type ImportedCounts = 'queues' | 'hostRules' | 'settings' | 'profiles' | 'repeats'

export interface ImportResult {
  added: number
  /** those that were in the list already, or twice in the file */
  duplicates: number
  /** entries that could not be used, at most the first thousand; `position` counts from 1 */
  refused: { what: ImportedKind; position: number; reason: string }[]
  refusedInAll: number
  /** of the added: how many go on from files that are here */
  withProgress: number
  queues: number
  hostRules: number
  settings: number
  profiles: number
  repeats: number
}

/** The text of the file, page by page. `left` hears of secrets that were left out. */
export async function* listFileText(
  ask: (input: { secrets: boolean; after: number }) => Promise<ExportPage>,
  secrets: boolean,
  left: (count: number) => void,
): AsyncGenerator<string> {
  let first = true
  for (let after: number | null = 0; after !== null; ) {
    const page: ExportPage = await ask({ secrets, after })
    left(page.secretsLeftOut)
    if (page.head !== null) yield `${JSON.stringify(page.head, null, 1).slice(0, -2)},\n "tasks": [`
    for (const task of page.tasks) {
      yield `${first ? '' : ','}\n  ${JSON.stringify(task)}`
      first = false
    }
    after = page.next
  }
  yield '\n ]\n}\n'
}

/** What a file to import is, by its content. */
export function importFormat(text: string): 'list' | 'metalink' | 'links' {
  const begin = text
    .slice(0, 1000)
    .replace(/^\uFEFF/, '')
    .trimStart()
  if (begin.startsWith('{')) return 'list'
  return begin.startsWith('<') ? 'metalink' : 'links'
}
