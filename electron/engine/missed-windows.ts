/**
 * Windows of queues that passed while the machine slept or was off: notices that time is missing, and makes up for it as
 * each queue says. A queue that makes up for a window works until all it has is done, or for as long as was lost.
 */
import type { Contract } from '../../shared/contract.ts'
import { NighthaulError } from '../../shared/errors.ts'
import type { QueueRecord } from '../../shared/records.ts'
import type { Handlers } from '../../shared/rpc.ts'
import type { MissedWindow } from '../../shared/schedule-state.ts'
import type { QueueId } from '../../shared/schemas.ts'
import { parseWindows } from '../../shared/windows.ts'
import { madeUpUntil, missedWindow } from './missed-window.ts'
import type { Notices } from './notices.ts'
import type { EngineDeps } from './ports.ts'
import type { Queues } from './queues.ts'
import { localText, systemTimeZone } from './window-times.ts'

export interface MissedWindowsDeps extends Pick<EngineDeps, 'store' | 'clock' | 'logger'> {
  queues: () => Queues
  notices: Pick<Notices, 'add' | 'dropWhere'>
  /** what queues may do is something else now */
  changed: () => void
  /** the clock shows an earlier time than before, by so much (ms) */
  setBack: (ms: number) => void
}

/** Who was not heard of for so long was not alive. */
const GAP_MS = 5 * 60_000
/** It is stored so often that the engine is alive; a crash costs as much of the truth. */
const STORE_MS = 5 * 60_000
const DAY_MS = 86_400_000

export class MissedWindows {
  readonly #deps: MissedWindowsDeps
  /** when the engine was last alive, as far as is known; null: never before */
  #aliveAt: number | null
  #storedAt: number | null
  #missed: Readonly<Record<string, MissedWindow>>

  constructor(deps: MissedWindowsDeps) {
    this.#deps = deps
    const { aliveAt, missed } = deps.store.scheduleState()
    this.#aliveAt = aliveAt
    this.#storedAt = aliveAt
    this.#missed = missed
  }

  /** The window of a queue that was missed and is made up for, or might be; null: there is none. */
  of(id: QueueId): MissedWindow | null {
    return this.#missed[id] ?? null
  }

  /** Epoch ms until which a queue works although its window is closed; null: it does not. */
  until(id: QueueId): number | null {
    const until = this.of(id)?.until ?? null
    return until !== null && until > this.#deps.clock.now() ? until : null
  }

  /** A step of the clockwork, and the first thing after a start. */
  look(): void {
    const now = this.#deps.clock.now()
    if (this.#aliveAt !== null && now - this.#aliveAt >= GAP_MS) this.#wake({ from: this.#aliveAt, to: now })
    if (this.#aliveAt !== null && this.#aliveAt - now >= GAP_MS) this.#deps.setBack(this.#aliveAt - now)
    this.#aliveAt = now
    if (this.#storedAt === null || Math.abs(now - this.#storedAt) >= STORE_MS) this.stillAlive()
    this.#end(now)
  }

  /** Remembers that the engine is alive now. */
  stillAlive(): void {
    this.#storedAt = this.#deps.clock.now()
    this.#deps.store.setScheduleState({ aliveAt: this.#storedAt }, { intent: false })
  }

  #wake(gap: { from: number; to: number }): void {
    const { store, notices, logger, queues } = this.#deps
    const open = store.openByQueue()
    const found: Record<string, MissedWindow> = {}
    for (const queue of queues().records) {
      const { id, name, windows, missed, stopped } = queue
      if (windows === null || stopped || missed === 'next' || !open.get(id)) continue
      const lost = missedWindow(parseWindows(windows), zoneOf(queue), gap)
      if (!lost) continue
      logger.info({ queue: id, ...lost, missed }, 'a window was missed')
      if (missed === 'run') found[id] = { ...lost, until: madeUpUntil(lost, gap.to) }
      // Where the next window is open by now, there is nothing to ask.
      else if (queues().holdOf(id) !== null) {
        found[id] = { ...lost, until: null }
        notices.dropWhere('window_missed', { queueId: id })
        notices.add('window_missed', { queueId: id, queue: name, ...textOf(lost, queue) })
      }
    }
    const slept = Object.entries(this.#missed).flatMap(([id, missed]) => {
      // Nothing was made up for meanwhile: what was left of it then is left of it now.
      if (missed.until === null || missed.until <= gap.from) return []
      return [[id, { ...missed, until: missed.until + gap.to - gap.from }]]
    })
    const later = { ...Object.fromEntries(slept), ...found }
    if (Object.keys(later).length > 0) this.#store({ ...this.#missed, ...later })
  }

  /** What has been made up for, and questions that the next window has answered. */
  #end(now: number): void {
    const entries = Object.entries(this.#missed)
    if (entries.length === 0) return
    const { store, queues } = this.#deps
    const open = store.openByQueue()
    const left = entries.filter(([key, { from, to, until }]) => {
      const queue = queues().records.find(({ id }) => String(id) === key)
      if (!queue || queue.windows === null || !open.get(queue.id)) return false
      if (until === null) return queues().holdOf(queue.id) !== null
      // A clock that was set back must not make an hour a year.
      return until > now && until <= madeUpUntil({ from, to }, now) + DAY_MS
    })
    if (left.length < entries.length) this.#store(Object.fromEntries(left))
  }

  #store(missed: Readonly<Record<string, MissedWindow>>): void {
    const { store, notices, changed } = this.#deps
    const answered = Object.keys(this.#missed).filter((key) => missed[key]?.until !== null)
    store.setScheduleState({ missed })
    this.#missed = missed
    for (const key of answered) notices.dropWhere('window_missed', { queueId: Number(key) })
    changed()
  }

  get handlers(): Pick<Handlers<Contract>, 'queues.makeUp'> {
    return {
      'queues.makeUp': ({ id, decision }) => {
        const queues = this.#deps.queues()
        queues.check(id)
        const missed = this.of(id)
        if (!missed && decision === 'run')
          throw new NighthaulError(
            'nothing_missed',
            `No window of “${queues.of(id).name}” was missed, or it was made up for. Nothing was changed.`,
            { id },
          )
        if (missed) {
          const { [id]: _, ...others } = this.#missed
          const until = madeUpUntil(missed, this.#deps.clock.now())
          this.#store(decision === 'run' ? { ...others, [id]: { ...missed, until } } : others)
        }
        return queues.viewOf(id)
      },
    }
  }
}

function zoneOf({ timeZone }: QueueRecord): string {
  return timeZone ?? systemTimeZone()
}

function textOf({ from, to }: Pick<MissedWindow, 'from' | 'to'>, queue: QueueRecord): { from: string; to: string } {
  const text = (at: number) => localText(at, zoneOf(queue)).slice(0, 16).replace('T', ' ')
  return { from: text(from), to: text(to) }
}
