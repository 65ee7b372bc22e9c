/**
 * The mirrors of tasks: remembers how each did and, when one failed, turns the task to the next. What to do is
 * mirror-policy.ts's to decide; that nothing of two different files is mixed is source-proof.ts's to see to.
 */
import { NighthaulError } from '../../shared/errors.ts'
import type { MirrorRecord, TaskPatch, TaskRecord } from '../../shared/records.ts'
import type { MirrorView, Settings, TaskId } from '../../shared/schemas.ts'
import type { TaskStrategyReason } from '../../shared/task-strategy.ts'
import { eventOfFailure } from './failure-event.ts'
import { afterMirrorFailure, fileOf, turnedTo } from './mirror-policy.ts'
import type { EngineDeps } from './ports.ts'
import type { TaskEvent } from './task-machine.ts'

export interface Ending {
  event: TaskEvent
  patch: TaskPatch
}

/** What a run brought. */
export interface Brought {
  bytes: number
  busyMs: number
}

export interface MirrorsDeps extends Pick<EngineDeps, 'store' | 'clock' | 'random' | 'logger'> {
  settings: () => Settings
}

export class Mirrors {
  readonly #deps: MirrorsDeps

  constructor(deps: MirrorsDeps) {
    this.#deps = deps
  }

  /** How a run ended, or, where another URL may do better, that the task goes on there. */
  instead(id: TaskId, ending: Ending, brought: Brought): Ending {
    const { event } = ending
    if (event.kind !== 'failed' && event.kind !== 'deferred' && event.kind !== 'remoteChanged') return ending
    const { store, logger } = this.#deps
    const task = store.getTask(id)
    const mirrors = task ? store.mirrors(id) : []
    if (!task || mirrors.length < 2) return ending
    const { error } = event
    const current = task.sourceUrl ?? task.url
    const deferred = event.kind === 'deferred'
    const told = mirrors.map((mirror) =>
      mirror.url === current ? after(mirror, { ...brought, error: deferred ? mirror.error : error, task }) : mirror,
    )
    for (const mirror of told) if (mirror.url === current) store.updateMirror(id, mirror)
    const decision = afterMirrorFailure({
      ...{ error, deferred, current },
      progressed: brought.bytes > 0,
      mirrors: told,
      reliability: this.#reliability(),
    })
    if (decision.kind === 'stay') return ending
    const { to } = decision
    logger.info({ task: id, code: error.code, from: current, to: to.url }, 'the task turns to another mirror')
    const patch = { ...ending.patch, ...turnedTo(task, to) }
    if (decision.kind === 'now') return { event: { kind: 'turned', error }, patch }
    return this.#later(task, ending, to, patch)
  }

  /** Its own failure may be one for good, but the one that is tried next had a passing one: by that it waits. */
  #later(task: TaskRecord, ending: Ending, to: MirrorRecord, patch: TaskPatch): Ending {
    const { clock, random, settings } = this.#deps
    const waits = ({ event }: Ending) => event.kind === 'failed' && event.retryAt !== null
    if (waits(ending) || to.error === null) return { event: ending.event, patch }
    const event = eventOfFailure(NighthaulError.from(to.error), {
      attempts: task.attempts,
      maxRetries: task.options.retries ?? settings().retries,
      now: clock.now(),
      random: random(),
    })
    return waits({ event, patch }) ? { event, patch } : ending
  }

  #reliability(): (url: string) => number | null {
    let byHost: Map<string, number> | null = null
    return (url) => {
      byHost ??= new Map(
        this.#deps.store
          .requestTotals()
          .hosts.filter(({ tally }) => tally.succeeded + tally.failed > 0)
          .map(({ host, tally }) => [host, tally.succeeded / (tally.succeeded + tally.failed)]),
      )
      return byHost.get(new URL(url).host) ?? null
    }
  }
}

function after(mirror: MirrorRecord, run: Brought & { error: MirrorRecord['error']; task: TaskRecord }): MirrorRecord {
  return {
    ...mirror,
    error: run.error,
    failures: run.error === mirror.error ? mirror.failures : mirror.failures + 1,
    file: fileOf(run.task),
    bytes: mirror.bytes + Math.max(0, run.bytes),
    busyMs: mirror.busyMs + run.busyMs,
  }
}

/** The task's URLs as people see them, those used and failed with the reason. `brought`: by the present run. */
export function mirrorViews(task: TaskRecord, mirrors: readonly MirrorRecord[], brought: number): MirrorView[] {
  const current = task.sourceUrl ?? task.url
  // Before anything was asked, none is in use.
  const begun = task.startedAt !== null
  return mirrors.map(({ url, priority, location, origin, error, bytes }) => {
    const isCurrent = url === current && begun
    const state = isCurrent ? 'active' : error ? 'failed' : bytes > 0 ? 'used' : 'unused'
    const shown = isCurrent && task.error === null ? null : error
    return { url, priority, location, origin, state, error: shown, bytes: bytes + (isCurrent ? brought : 0) }
  })
}

/** Why a task is not fetched from the URL it was added with. */
export function mirrorReason(task: TaskRecord, mirrors: readonly MirrorRecord[]): TaskStrategyReason[] {
  if (task.sourceUrl === null) return []
  const left = mirrors.find(({ url }) => url === task.url)?.error
  const host = new URL(task.sourceUrl).host
  const first = new URL(task.url).host
  return [
    left
      ? { code: 'using_mirror', params: { host, first, reason: left.code } }
      : { code: 'using_other_mirror', params: { host } },
  ]
}
