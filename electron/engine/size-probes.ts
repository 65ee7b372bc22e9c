/**
 * Asks for the sizes of downloads that have to be done by a time, so that it can be told beforehand whether they will
 * be: one request each, one at a time, where the host has room, and never twice. Sizes are kept in memory only: what a
 * download is, its own first reply says.
 */
import { toErrorInfo } from '../../shared/errors.ts'
import type { OpenTask } from '../../shared/open-tasks.ts'
import type { TaskRecord } from '../../shared/records.ts'
import type { TaskId } from '../../shared/schemas.ts'
import { hostOf } from './admission.ts'
import { type AskingDeps, inPassing, NoRoom } from './asking.ts'
import type { HostController } from './host-controller.ts'
import type { Lane } from './lane/lane.ts'
import type { EngineDeps } from './ports.ts'
import { isHtml, parseReply, type ReplyFacts } from './reply.ts'

export interface SizeProbesDeps extends Pick<EngineDeps, 'store' | 'clock' | 'logger'> {
  lane: Pick<Lane, 'request' | 'forget'>
  hosts: AskingDeps['hosts'] & Pick<HostController, 'places'>
  /** a size was learned */
  learned: () => void
}

/** The least time between two of these requests, to whichever host. */
const PAUSE_MS = 500
const LONGEST_MS = 30_000
/** Where a link led to a host without room. */
const AGAIN_MS = 60_000
/** So many in the life of an engine. */
const MOST = 5_000
/** A host that answered so many without a size is asked no more. */
const MOST_VAIN = 5

export class SizeProbes {
  readonly #deps: SizeProbesDeps
  /** null: asked, and not told */
  readonly #sizes = new Map<TaskId, number | null>()
  readonly #vain = new Map<string, number>()
  /** monotonic ms */
  readonly #notBefore = new Map<TaskId, number>()
  #asking: { done: Promise<void>; abort: AbortController } | null = null
  #askedAt = Number.NEGATIVE_INFINITY

  constructor(deps: SizeProbesDeps) {
    this.#deps = deps
  }

  sizeOf(id: TaskId): number | undefined {
    return this.#sizes.get(id) ?? undefined
  }

  /** One of these may be asked about now, the first that may. */
  step(tasks: Iterable<OpenTask>): void {
    const { clock, store, hosts } = this.#deps
    if (this.#asking || this.#sizes.size >= MOST || clock.monotonic() - this.#askedAt < PAUSE_MS) return
    for (const { id, host, state, sizeBytes, plain } of tasks) {
      if (sizeBytes !== null || !plain || state === 'active' || this.#sizes.has(id)) continue
      if ((this.#notBefore.get(id) ?? 0) > clock.monotonic()) continue
      if ((this.#vain.get(host) ?? 0) >= MOST_VAIN) continue
      const { connections, allowed, quietMs } = hosts.places(host)
      if (quietMs > 0 || connections >= allowed) continue
      const task = store.getTask(id)
      if (!task || task.leaseOwner !== null) continue
      const abort = new AbortController()
      const done = this.#ask(task, abort).finally(() => {
        this.#asking = null
        this.#askedAt = clock.monotonic()
      })
      this.#asking = { done, abort }
      return
    }
  }

  /** It is asked again, but not at once. */
  #later(id: TaskId): void {
    this.#sizes.delete(id)
    this.#notBefore.set(id, this.#deps.clock.monotonic() + AGAIN_MS)
  }

  async stop(): Promise<void> {
    this.#asking?.abort.abort()
    await this.#asking?.done
  }

  /** Never rejects: what is wrong, the download itself will meet and tell. */
  async #ask(task: TaskRecord, abort: AbortController): Promise<void> {
    const { lane, hosts, clock, logger } = this.#deps
    const host = hostOf(task)
    this.#sizes.set(task.id, null)
    const timer = clock.setTimeout(() => abort.abort(), LONGEST_MS)
    // A conversation of its own, with the same credentials: they go to the link's origin alone.
    const options = { ...task.options }
    const url = task.sourceUrl ?? task.url
    try {
      const ask = inPassing({ lane, hosts, clock })
      const headers = { range: 'bytes=0-0' }
      const reply = await ask({ url, home: task.url, headers, options, multiplex: false, signal: abort.signal })
      reply.abort()
      const size = sizeIn(parseReply(reply.status, reply.headers))
      if (size === null) this.#vain.set(host, (this.#vain.get(host) ?? 0) + 1)
      else {
        this.#vain.delete(host)
        this.#sizes.set(task.id, size)
        this.#deps.learned()
      }
    } catch (error) {
      // Where the link leads everybody is busy: that says nothing of anybody.
      if (error instanceof NoRoom) return void this.#later(task.id)
      this.#vain.set(host, (this.#vain.get(host) ?? 0) + 1)
      logger.info({ task: task.id, error: toErrorInfo(error).message }, 'a size could not be asked for beforehand')
    } finally {
      timer.cancel()
      lane.forget(options)
    }
  }
}

/** null: it does not say, or what came is no file. */
function sizeIn({ status, contentRange, contentLength, contentEncoding, contentType }: ReplyFacts): number | null {
  if (contentEncoding !== null || isHtml(contentType)) return null
  if (status === 206) return contentRange.kind === 'range' ? contentRange.total : null
  return status === 200 ? contentLength : null
}
