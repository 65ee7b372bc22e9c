/**
 * Looks after downloads that the disk stopped, and lets them go on once it can take them: there is room again, the drive
 * is back with the partial on it, the folder takes files. Looks every few seconds, and only while something waits.
 */
import { MENDED_BY_THEMSELVES, toErrorInfo } from '../../shared/errors.ts'
import type { TaskRecord } from '../../shared/records.ts'
import type { TaskId } from '../../shared/schemas.ts'
import { partPathOf } from './place.ts'
import type { EngineDeps, Timer } from './ports.ts'
import type { Demand, Room } from './room.ts'

const LOOK_MS = 5_000
/** What fails again at once is tried again after twice the time. */
const LONGEST_WAIT_MS = 5 * 60_000

export interface DiskWatchDeps extends Pick<EngineDeps, 'fs' | 'clock' | 'logger'> {
  /** paused for a reason, in the order of the queue */
  suspended: () => TaskRecord[]
  demands: (task: TaskRecord) => Promise<Demand[]>
  lack: Room['lack']
  /** it can go on */
  mended: (task: TaskRecord) => void
}

export class DiskWatch {
  readonly #deps: DiskWatchDeps
  #timer: Timer | null = null
  #looking: Promise<void> = Promise.resolve()
  #stopped = false
  /** tasks that were let go on, and when they may again should they stop again */
  readonly #tried = new Map<TaskId, { notBefore: number; waitMs: number }>()

  constructor(deps: DiskWatchDeps) {
    this.#deps = deps
  }

  /** Something may wait now. */
  arm(): void {
    if (this.#stopped || this.#timer) return
    this.#timer = this.#deps.clock.setTimeout(() => {
      this.#looking = this.#look()
    }, LOOK_MS)
  }

  async stop(): Promise<void> {
    this.#stopped = true
    this.#timer?.cancel()
    await this.#looking
  }

  async #look(): Promise<void> {
    const { clock, suspended, mended, logger } = this.#deps
    let waiting = 0
    try {
      const taken = new Map<string, number>()
      for (const task of suspended()) {
        if (this.#stopped) return
        if (!task.error || !MENDED_BY_THEMSELVES.has(task.error.code)) continue
        waiting++
        const now = clock.monotonic()
        const tried = this.#tried.get(task.id)
        if ((tried && now < tried.notBefore) || !(await this.#canGoOn(task, taken)) || this.#stopped) continue
        const waitMs = tried ? Math.min(tried.waitMs * 2, LONGEST_WAIT_MS) : LOOK_MS
        this.#tried.set(task.id, { notBefore: now + waitMs, waitMs })
        logger.info({ task: task.id, code: task.error.code }, 'the disk takes it again')
        mended(task)
      }
    } catch (error) {
      waiting++
      logger.warn({ error: toErrorInfo(error).message }, 'looking after the disk failed once')
    } finally {
      this.#timer = null
      this.#forgetOld()
      if (waiting > 0) this.arm()
    }
  }

  async #canGoOn(task: TaskRecord, taken: Map<string, number>): Promise<boolean> {
    const { fs, demands, lack } = this.#deps
    const partPath = partPathOf(task)
    try {
      // A mount point without its drive is a folder too: the partial tells.
      if (task.writtenBytes > 0 && partPath && !(await fs.stat(partPath))) return false
      const { neededBytes } = task.error!.params
      // Whose size the store does not know yet may have said what it needs.
      const sizeBytes = task.sizeBytes ?? (typeof neededBytes === 'number' ? neededBytes : null)
      const wanted = await demands({ ...task, sizeBytes })
      for (const { folder } of wanted) if (task.writtenBytes === 0) await fs.mkdir(folder)
      for (const { folder } of wanted) await fs.checkWritable(folder)
      return (await lack(wanted, taken)) === null
    } catch {
      // Whatever it is, it is what the task is told when it runs; now it does not.
      return false
    }
  }

  /** Those that stopped no more. */
  #forgetOld(): void {
    const now = this.#deps.clock.monotonic()
    for (const [id, { notBefore, waitMs }] of this.#tried) if (now > notBefore + 2 * waitMs) this.#tried.delete(id)
  }
}
