/** What users, networks and power do to a running engine. */
import type { TaskId } from '../../shared/schemas.ts'
import type { FaultServer } from '../helpers/fault-server.ts'
import type { EngineProcess } from './engine-process.ts'
import type { Counts } from './figures.ts'
import type { Load } from './load.ts'
import type { Random } from './random.ts'

const MIB = 1024 * 1024

export interface Mischief {
  /** one thing that a user does: pauses, limits, queues, removals */
  meddle(): Promise<void>
  /** a server goes away for a while, or only cuts its connections */
  flap(pause: (ms: number) => Promise<void>): Promise<void>
  /** kill -9 or a clean end, and a new start; the load is to be reconciled then */
  restart(): Promise<void>
  /** undoes what would keep the rest from ending soon */
  calm(): Promise<void>
}

export function createMischief(
  engine: EngineProcess,
  load: Load,
  servers: readonly FaultServer[],
  random: Random,
  counts: Counts,
): Mischief {
  const some = (most: number): TaskId[] => {
    const all = load.unfinished()
    return all.length === 0 ? [] : Array.from({ length: random.whole(1, most) }, () => random.pick(all))
  }
  const host = () => `127.0.0.1:${random.pick(servers).port}`
  const rate = () => (random.chance(0.5) ? null : random.magnitude(4 * MIB, 256 * MIB))

  const pause = async () => {
    counts.pauses++
    await engine.call('tasks.pause', { selection: { ids: some(10) } })
  }
  const pauseAll = async () => {
    counts.pauses++
    await engine.call('tasks.pause', { selection: { filter: {} } })
  }
  const resume = async () => {
    await engine.call('tasks.resume', { selection: { filter: { states: ['paused'] } } })
  }
  const limitTasks = async () => {
    const limitBytesPerSecond = random.chance(0.5) ? null : random.magnitude(256 * 1024, 32 * MIB)
    const connections = random.chance(0.5) ? null : random.whole(1, 8)
    await engine.call('tasks.update', { selection: { ids: some(10) }, limitBytesPerSecond, connections })
  }
  const limitHost = async () => {
    const patch = { connections: random.whole(2, 12), limitBytesPerSecond: rate() }
    await engine.call('hostRules.set', { pattern: host(), patch })
  }
  const limitAll = async () => {
    await engine.call('settings.set', { limitBytesPerSecond: rate() })
  }
  const places = async () => {
    await engine.call('settings.set', {
      downloadsAtOnce: random.whole(4, 32),
      connectionsPerDownload: random.whole(1, 8),
      connectionsPerHost: random.whole(4, 24),
    })
  }
  const queues = async () => {
    const queues = await engine.call('queues.list')
    const own = queues?.filter(({ id }) => id !== 1) ?? []
    if (own.length < 3) await engine.call('queues.add', { name: `queue ${random.next()}`, limitBytesPerSecond: rate() })
    else if (random.chance(0.3)) await engine.call('queues.remove', { id: random.pick(own).id })
    else await engine.call('tasks.update', { selection: { ids: some(20) }, queueId: random.pick(own).id })
  }
  const remove = () => load.remove(some(3))
  const removeAndRestore = () => load.removeAndRestore(some(5))
  const network = async () => {
    await engine.call('network.changed', { reason: random.pick(['wake', 'online', 'interfaces'] as const) })
  }

  return {
    meddle: () =>
      random.weighted([
        [6, pause],
        [8, resume],
        [1, pauseAll],
        [4, limitTasks],
        [2, limitHost],
        [2, limitAll],
        [3, places],
        [2, queues],
        [2, remove],
        [2, removeAndRestore],
        [1, network],
      ])(),
    async flap(wait) {
      counts.flaps++
      const server = random.pick(servers)
      if (random.chance(0.3)) return server.disconnect()
      const comeBack = await server.goDown()
      await wait(random.whole(300, 4_000))
      await comeBack()
      // Systems often notice that a network is back, and often do not.
      if (random.chance(0.5)) await network()
    },
    async restart() {
      if (random.chance(0.8)) {
        await engine.kill()
        counts.kills++
      } else {
        await engine.stop()
        counts.stops++
      }
      await engine.start()
    },
    async calm() {
      await engine.call('settings.set', { limitBytesPerSecond: null, downloadsAtOnce: 8, connectionsPerHost: 8 })
      for (const { pattern } of (await engine.call('hostRules.list')) ?? [])
        await engine.call('hostRules.remove', { pattern })
      for (const { id } of (await engine.call('queues.list')) ?? [])
        if (id !== 1) await engine.call('queues.remove', { id })
      const selection = { filter: {} }
      await engine.call('tasks.update', { selection, limitBytesPerSecond: null, connections: null })
      await resume()
      await engine.call('network.changed', { reason: 'online' })
    },
  }
}
