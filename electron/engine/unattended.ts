/**
 * What happens to downloads while nobody is there to ask: a network that is away costs no tries, and what failed for
 * good comes once more at the end of its queue.
 * Acts; network-presence.ts and second-chances.ts decide.
 */
import { ERROR_KINDS, NighthaulError, toErrorInfo } from '../../shared/errors.ts'
import type { NetworkChange, Settings, TaskId } from '../../shared/schemas.ts'
import type { HostController } from './host-controller.ts'
import type { Ending } from './mirrors.ts'
import { waitsForTheNetwork } from './network.ts'
import { type AwayReason, isAnswer, NetworkPresence } from './network-presence.ts'
import type { EngineDeps } from './ports.ts'
import type { Runner } from './runner.ts'
import { isHostAway, onceMore } from './second-chances.ts'

export interface UnattendedDeps extends Pick<EngineDeps, 'store' | 'clock' | 'logger' | 'lease' | 'judgesNetwork'> {
  settings: () => Settings
  runner: () => Runner
  hosts: Pick<HostController, 'forbade'>
}

const AWAY: Readonly<Record<AwayReason, string>> = {
  no_interface: 'This machine has no network now',
  no_host_answers: 'No host answers any more, so the network is probably away',
  captive_portal: 'Somebody else answers for the hosts, as networks do that want a login first',
}

export class Unattended {
  readonly #deps: UnattendedDeps
  readonly presence: NetworkPresence

  constructor(deps: UnattendedDeps) {
    this.#deps = deps
    this.presence = new NetworkPresence(() => deps.clock.now())
  }

  /** Bytes came from a host. */
  came(host: string): void {
    if (this.presence.isNews(host) && this.presence.came(host)) this.#back()
  }

  /** How a run ended, or what becomes of it instead. `elsewhere`: another URL may do better. Never throws. */
  ending(id: TaskId, host: string, ending: Ending, elsewhere: (ending: Ending) => Ending): Ending {
    try {
      return this.#instead(id, host, ending, elsewhere)
    } catch (error) {
      this.#deps.logger.error({ task: id, error: toErrorInfo(error).message }, 'nothing else could be tried')
      return ending
    }
  }

  #instead(id: TaskId, host: string, ending: Ending, elsewhere: (ending: Ending) => Ending): Ending {
    if (this.#deps.lease !== null) return elsewhere(ending)
    if (ending.event.kind === 'failed' && ending.event.error.code === 'forbidden') {
      // Of the host that said so: the link's own may only have led there, and to others that hand out everything.
      const { host: answered } = ending.event.error.params
      this.#deps.hosts.forbade(typeof answered === 'string' ? answered : host, id)
    }
    return this.#withoutNetwork(id, host, ending) ?? this.#onceMore(id, host, elsewhere(ending))
  }

  #withoutNetwork(id: TaskId, host: string, ending: Ending): Ending | null {
    const { event } = ending
    const { store, runner, logger, judgesNetwork = true } = this.#deps
    if (!judgesNetwork) return null
    if (event.kind === 'published') this.came(host)
    if (event.kind !== 'failed' && event.kind !== 'remoteChanged') return null
    if (isAnswer(event.error)) this.came(host)
    const inUse = new Set(runner().runs.map((run) => run.host)).add(host)
    if (this.presence.failed(id, host, event.error, inUse)) {
      logger.warn({ reason: this.presence.away?.reason, code: event.error.code }, 'the network is away')
      // Once this run is told as well.
      queueMicrotask(() => this.#excuse())
    } else if (!this.presence.explains(event.error, host)) return null
    if (store.getTask(id)?.state !== 'active') return null
    const { error, retryAt } = this.#wait()
    return { event: { kind: 'deferred', error, retryAt }, patch: ending.patch }
  }

  #wait(): { error: ReturnType<NighthaulError['toInfo']>; retryAt: number } {
    const { reason, probeAt } = this.presence.away!
    const sentence = `${AWAY[reason]}. All downloads wait until it is back, without losing a try; everything is kept.`
    return { error: new NighthaulError('network_away', sentence, { reason }).toInfo(), retryAt: probeAt }
  }

  /** What failed before it was clear that the network had gone did not fail by itself. */
  #excuse(): void {
    if (!this.presence.away) return
    const { store, runner } = this.#deps
    runner().applyAll(store.getTasks(this.presence.takeVictims()), { kind: 'excused', ...this.#wait() })
  }

  /** The machine woke, or has other addresses: how many downloads go on at once. */
  networkChanged(change: NetworkChange): number {
    const changed = this.#deps.lease === null && this.presence.changed(change)
    if (change === 'offline') return 0
    return changed ? this.#back() : this.#release()
  }

  #back(): number {
    this.#deps.logger.info({}, 'the network is back')
    return this.#release()
  }

  #release(): number {
    const { store, runner, lease } = this.#deps
    const waiting = lease === null ? store.tasksInStates(['waiting']) : store.leasedTasks()
    return runner().applyAll(
      waiting.filter((task) => waitsForTheNetwork(task) && (lease === null || task.leaseOwner === lease)),
      { kind: 'released' },
    )
  }

  #onceMore(id: TaskId, host: string, ending: Ending): Ending {
    const { event } = ending
    if (event.kind !== 'failed' || event.retryAt !== null) return ending
    const { store, clock, settings, logger } = this.#deps
    const task = store.getTask(id)
    if (!task) return ending
    const { error } = event
    // A link may lead to a host that never was there, and be there itself; who answers for it in its place says nothing.
    const { host: failing } = error.params
    const byAnother = ERROR_KINDS[error.code] !== 'network' && isHostAway(error, host)
    const wasReached = this.presence.hasAnswered(typeof failing === 'string' && !byAnother ? failing : host)
    const answered = wasReached || task.acceptsRanges !== null
    const again = onceMore(error, task, { asked: host, answered }, settings(), clock.now())
    if (again === null) return ending
    logger.info({ task: id, code: error.code, ...again.patch }, 'the download comes once more at the end of its queue')
    store.reorder([id], null)
    return {
      event: { kind: 'secondChance', error, retryAt: again.at },
      patch: { ...ending.patch, ...again.patch },
    }
  }
}
