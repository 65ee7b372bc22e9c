/**
 * Files that got their name before they were on the disk: brought there together, once things are a little quieter. Until
 * the store says so, the next start checks them by their checksums.
 */
import { join } from 'node:path'
import { toErrorInfo } from '../../shared/errors.ts'
import type { TaskRecord } from '../../shared/records.ts'
import type { TaskId } from '../../shared/schemas.ts'
import { onDisk } from './disk-errors.ts'
import type { EngineDeps, Timer } from './ports.ts'
import { syncFile } from './publish.ts'

/** From the last file that was finished; a stream of small files is not interrupted for each. */
const QUIET_MS = 1_000
/** However many files keep coming. */
const LONGEST_MS = 5_000
/** Disks take several at once; more only fill Node's threads. */
const AT_ONCE = 4

export class SyncLater {
  readonly #deps: Pick<EngineDeps, 'fs' | 'clock' | 'store' | 'logger'>
  #waiting: TaskId[] = []
  #since = 0
  #timer: Timer | null = null
  #running: Promise<unknown> = Promise.resolve()

  constructor(deps: Pick<EngineDeps, 'fs' | 'clock' | 'store' | 'logger'>) {
    this.#deps = deps
  }

  add(id: TaskId): void {
    const now = this.#deps.clock.monotonic()
    if (this.#waiting.push(id) === 1) this.#since = now
    this.#timer?.cancel()
    const ms = Math.max(0, Math.min(QUIET_MS, this.#since + LONGEST_MS - now))
    this.#timer = this.#deps.clock.setTimeout(() => this.#start(), ms)
  }

  /** Brings all that waits to the disk now, but for what is on its way to another place. */
  async finish(): Promise<void> {
    this.#start()
    await this.#running
    this.abandon()
  }

  /** What waits is left to the next start. */
  abandon(): void {
    this.#timer?.cancel()
    this.#waiting = []
  }

  #start(): void {
    this.#timer?.cancel()
    this.#timer = null
    const ids = this.#waiting
    this.#waiting = []
    if (ids.length > 0) this.#running = this.#running.then(() => this.#try(ids[0]!, () => this.#sync(ids)))
  }

  async #sync(ids: readonly TaskId[]): Promise<void> {
    const tasks = this.#deps.store.getTasks(ids)
    const synced: TaskRecord[] = []
    // Their places may be others by now; what is on its way is waited for.
    const left = tasks.filter(({ relocation }) => relocation === null)
    for (const { id, relocation } of tasks) if (relocation !== null) this.add(id)
    const worker = async () => {
      for (let task = left.shift(); task; task = left.shift()) {
        const path = pathOf(task)
        if (await this.#try(task.id, () => syncFile(path, this.#deps))) synced.push(task)
        else if (this.#isElsewhere(task.id, path)) this.add(task.id)
      }
    }
    await Promise.all(Array.from({ length: AT_ONCE }, worker))
    for (const [folder, inFolder] of Map.groupBy(synced, (task) => task.folder))
      await this.#try(inFolder[0]!.id, async () => {
        await onDisk(folder, () => this.#deps.fs.syncFolder(folder))
        const fsyncedAt = this.#deps.clock.now()
        this.#deps.store.updateTasks(
          inFolder.map(({ id }) => ({ id, patch: { fsyncedAt } })),
          { intent: false },
        )
      })
  }

  /** It went while it was looked for. */
  #isElsewhere(id: TaskId, path: string): boolean {
    const task = this.#deps.store.getTask(id)
    return task !== null && (task.relocation !== null || pathOf(task) !== path)
  }

  /** False: it failed. Nobody waits for it, and the next start looks at the file again. */
  async #try(task: number, work: () => Promise<void>): Promise<boolean> {
    try {
      await work()
      return true
    } catch (error) {
      this.#deps.logger.warn({ task, error: toErrorInfo(error).message }, 'fsync of a finished file failed')
      return false
    }
  }
}

function pathOf({ folder, filename }: TaskRecord): string {
  return join(folder, filename!)
}
