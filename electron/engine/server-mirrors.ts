/**
 * Mirrors that the server itself names (Metalink/HTTP, RFC 6249): taken where the settings allow, and only for a file
 * whose size is known, so that another one is noticed before anything of it is written.
 */
import { toErrorInfo } from '../../shared/errors.ts'
import type { NewMirror, TaskRecord } from '../../shared/records.ts'
import type { Settings, TaskId, TaskOptions } from '../../shared/schemas.ts'
import type { Changes } from './changes.ts'
import { isPlainGet } from './http/redirects.ts'
import type { Lane, LaneReply } from './lane/lane.ts'
import { serverLinks } from './link-header.ts'
import type { EngineDeps } from './ports.ts'

const MOST_BYTES = 4 * 1024 * 1024
const LONGEST_MS = 20_000

export interface ServerMirrorsDeps extends Pick<EngineDeps, 'store' | 'clock' | 'logger'> {
  lane: Lane
  changes: Pick<Changes, 'progressed'>
  settings: () => Settings
}

export class ServerMirrors {
  readonly #deps: ServerMirrorsDeps

  constructor(deps: ServerMirrorsDeps) {
    this.#deps = deps
  }

  /** A first good reply came. Never throws, and nobody waits for it: the download goes on meanwhile. */
  heard(task: TaskRecord, { headers, finalUrl }: Pick<LaneReply, 'headers' | 'finalUrl'>, size: number | null): void {
    if (!this.#deps.settings().serverMirrors || size === null || !isPlainGet(task.options)) return
    const { mirrors, describedBy } = serverLinks(headers.link, finalUrl)
    try {
      this.#add(task, mirrors)
    } catch (error) {
      this.#failed(task.id, error)
    }
    if (describedBy) this.#read(task, describedBy, size).catch((error: unknown) => this.#failed(task.id, error))
  }

  #add({ id, url }: TaskRecord, mirrors: readonly NewMirror[]): void {
    if (mirrors.length === 0) return
    const own: NewMirror = { url, priority: 1, location: null, origin: 'user' }
    const added = this.#deps.store.addMirrors(id, [own, ...mirrors])
    if (added > 0) this.#deps.changes.progressed([id])
  }

  /** The document may be about other files as well: what it says of one of this size, and of this name if several are. */
  async #read(task: TaskRecord, url: string, size: number): Promise<void> {
    const { lane, clock, store } = this.#deps
    const late = new AbortController()
    const timer = clock.setTimeout(() => late.abort(), LONGEST_MS)
    // A conversation of its own, with the same credentials: they go to the link's origin alone.
    const options: TaskOptions = { ...task.options }
    try {
      const asked = { url, home: task.url, headers: {}, options, buckets: [], multiplex: false, signal: late.signal }
      const reply = await lane.request(asked)
      if (reply.status !== 200) return reply.abort()
      const bytes = await reply.read(MOST_BYTES, late.signal)
      if (bytes === null) return
      const { decodeMetalink, parseMetalink } = await import('./metalink.ts')
      const items = parseMetalink(decodeMetalink(bytes, url), url).items.filter(
        (item) => item.options?.sizeBytes === size,
      )
      const present = store.getTask(task.id)
      const item = items.length === 1 ? items[0] : items.find(({ filename }) => filename === present?.filename)
      if (!item || !present) return
      const { expected = [] } = item.options ?? {}
      if (expected.length > 0 && present.options.expected === undefined)
        store.updateTask(task.id, { options: { ...present.options, expected } })
      const first: NewMirror = { url: item.url, priority: 1, location: null, origin: 'metalink' }
      this.#add(task, [first, ...(item.mirrors ?? [])])
    } finally {
      timer.cancel()
      lane.forget(options)
    }
  }

  #failed(task: TaskId, error: unknown): void {
    this.#deps.logger.info({ task, error: toErrorInfo(error).message }, 'mirrors named by the server were not taken')
  }
}
