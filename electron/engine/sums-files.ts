/**
 * Asks for files of checksums beside a download (SHA256SUMS, NAME.sha256, …) where the user allows it. Few and small
 * requests: for a while a folder's lists are not asked for again, and a folder whose files have none beside them is left
 * alone.
 */
import { type ChecksumLine, readChecksumLines } from '../../shared/checksum-lines.ts'
import { toErrorInfo } from '../../shared/errors.ts'
import { type ExpectedDigest, isStrong } from '../../shared/integrity.ts'
import type { TaskRecord } from '../../shared/records.ts'
import type { TaskOptions } from '../../shared/schemas.ts'
import type { HostController } from './host-controller.ts'
import { isPlainGet } from './http/redirects.ts'
import type { Lane } from './lane/lane.ts'
import type { Clock, Logger } from './ports.ts'
import { isHtml, parseReply } from './reply.ts'
import { checksumIn, folderOf, type SumsCandidate, sumsLinks } from './sums-links.ts'

const MOST_BYTES = 1024 * 1024
const LONGEST_MS = 20_000
const MOST_FOLDERS = 100
/** What is known of a folder counts for so long: files and their lists are replaced every night. */
const REMEMBERED_MS = 3_600_000
/** After so many files without one beside them, no more are asked for in this folder. */
const MOST_MISSES = 3

interface Folder {
  lists: Map<string, Promise<readonly ChecksumLine[]>>
  misses: number
  /** monotonic ms */
  begunAt: number
}

export interface SumsDeps {
  lane: Lane
  hosts: Pick<HostController, 'acquire' | 'turn'>
  clock: Clock
  logger: Logger
}

export class SumsFiles {
  readonly #deps: SumsDeps
  readonly #folders = new Map<string, Folder>()

  constructor(deps: SumsDeps) {
    this.#deps = deps
  }

  /** `strongOnly`: others say nothing new. Rejects with the signal's reason alone: what cannot be had is not there. */
  async find(task: TaskRecord, strongOnly: boolean, signal: AbortSignal): Promise<ExpectedDigest | null> {
    const links = isPlainGet(task.options) ? sumsLinks(task.url, task.finalUrl) : null
    if (!links) return null
    const folder = this.#folder(links.folder)
    const misses = folder.misses
    for (const candidate of links.candidates) {
      if (strongOnly && !isStrong(candidate.algorithm)) continue
      if (candidate.of === 'file' && misses >= MOST_MISSES) continue
      const lines = await this.#lines(candidate, folder, task, signal)
      const found = checksumIn(lines, candidate, links)
      if (!found) continue
      if (candidate.of === 'file') folder.misses = 0
      return { ...found, source: 'sums-file', from: candidate.url }
    }
    folder.misses++
    return null
  }

  /** What this file of checksums said did not hold. True: it was asked for before `at` (monotonic ms), and may be old. */
  forget(from: string, at: number): boolean {
    const url = folderOf(from)
    const known = this.#folders.get(url)
    if (!known || known.begunAt >= at) return false
    return this.#folders.delete(url)
  }

  #folder(url: string): Folder {
    const now = this.#deps.clock.monotonic()
    const known = this.#folders.get(url)
    if (known && now - known.begunAt < REMEMBERED_MS) return known
    const folder: Folder = { lists: new Map(), misses: 0, begunAt: now }
    this.#folders.delete(url)
    this.#folders.set(url, folder)
    const [oldest] = this.#folders.keys()
    if (this.#folders.size > MOST_FOLDERS) this.#folders.delete(oldest!)
    return folder
  }

  async #lines(
    { url, of }: SumsCandidate,
    folder: Folder,
    task: TaskRecord,
    signal: AbortSignal,
  ): Promise<readonly ChecksumLine[]> {
    signal.throwIfAborted()
    const lines = folder.lists.get(url) ?? this.#ask(url, task)
    // Shared by all that want it, so that one task's end does not take it from the others.
    if (of === 'folder') folder.lists.set(url, lines)
    const { promise: stopped, reject } = Promise.withResolvers<never>()
    const onAbort = () => reject(signal.reason)
    signal.addEventListener('abort', onAbort, { once: true })
    try {
      return await Promise.race([lines, stopped])
    } finally {
      signal.removeEventListener('abort', onAbort)
    }
  }

  /** Never rejects. */
  async #ask(url: string, task: TaskRecord): Promise<readonly ChecksumLine[]> {
    const { lane, hosts, clock, logger } = this.#deps
    const late = new AbortController()
    const timer = clock.setTimeout(() => late.abort(), LONGEST_MS)
    // A conversation of its own, with the same credentials: they go to the link's origin alone.
    const options: TaskOptions = { ...task.options }
    const { host } = new URL(url)
    let slot: { release(): void } | null = null
    try {
      slot = await hosts.acquire(host, { shed: () => false }, late.signal)
      await hosts.turn(host, late.signal)
      const home = task.url
      const asked = { url, home, headers: {}, options, buckets: [], multiplex: false, signal: late.signal }
      const reply = await lane.request(asked)
      const { status, contentType, contentEncoding } = parseReply(reply.status, reply.headers)
      if (status !== 200 || isHtml(contentType) || contentEncoding !== null) {
        reply.abort()
        return []
      }
      const bytes = await reply.read(MOST_BYTES, late.signal)
      const text = bytes === null ? '' : Buffer.from(bytes).toString('utf8')
      logger.debug({ task: task.id, url, bytes: bytes?.length ?? null }, 'a file of checksums')
      return readChecksumLines(text)
    } catch (error) {
      logger.info({ task: task.id, url, error: toErrorInfo(error).message }, 'no file of checksums could be had')
      return []
    } finally {
      timer.cancel()
      slot?.release()
      lane.forget(options)
    }
  }
}
