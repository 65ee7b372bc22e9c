/**
 * Lanes in workers, as many as are useful: a task's requests go to one of them. A worker is started when the others have
 * enough to do, and started anew where one was lost.
 */
import { availableParallelism } from 'node:os'
import type { RequestSample } from '../../../shared/request-statistics.ts'
import type { TaskOptions } from '../../../shared/schemas.ts'
import type { HttpSettings } from '../http/http-client.ts'
import type { ResolveProxy } from '../http/proxy-choice.ts'
import type { Logger } from '../ports.ts'
import type { Lane, LaneReply, LaneRequest } from './lane.ts'
import { WorkerLane } from './worker-lane.ts'

/** A lane with fewer tasks takes the next one; a further worker costs memory and parts the pool of connections. */
const TASKS_PER_LANE = 4
const MOST_LANES = 4

interface Place {
  lane: WorkerLane
  tasks: Set<TaskOptions>
}

export interface LanePoolDeps {
  /** what a worker runs: lane-worker.ts, or what it was built to */
  entry: URL
  settings: HttpSettings
  /** told of requests that ended */
  onRequest?: (sample: RequestSample) => void
  logger: Logger
  /** asks the system for the proxies of a URL, where there is somebody to ask */
  resolveProxy?: ResolveProxy
  /** the most workers; by the number of cores when left out */
  most?: number
}

export function createLanePool({ entry, logger, onRequest = () => undefined, ...deps }: LanePoolDeps): Lane {
  // One core is for the engine itself and for the window.
  const most = deps.most ?? Math.max(1, Math.min(MOST_LANES, availableParallelism() - 1))
  let settings = deps.settings
  let places: Place[] = []

  const tellSettings = () => {
    for (const { lane } of places) lane.setSettings(shareOf(settings, places.length))
  }

  const start = (): Place => {
    const onLost = (error: Error) => {
      logger.error({ error: error.message }, 'a worker was lost')
      places = places.filter((other) => other !== place)
    }
    const place: Place = {
      lane: new WorkerLane(entry, shareOf(settings, places.length + 1), {
        onRequest,
        onLost,
        resolveProxy: deps.resolveProxy,
      }),
      tasks: new Set(),
    }
    places.push(place)
    tellSettings()
    return place
  }

  const placeOf = (options: TaskOptions): Place => {
    const known = places.find(({ tasks }) => tasks.has(options))
    if (known) return known
    const [quietest] = places.toSorted((a, b) => a.tasks.size - b.tasks.size)
    const place = quietest && (quietest.tasks.size < TASKS_PER_LANE || places.length >= most) ? quietest : start()
    place.tasks.add(options)
    return place
  }

  const least = (): WorkerLane | undefined => places.toSorted((a, b) => a.tasks.size - b.tasks.size)[0]?.lane

  return {
    files: (fs) => ({
      ...fs,
      stat: (path) => least()?.stat(path) ?? fs.stat(path),
      renameExclusive: (from, to) => least()?.renameExclusive(from, to) ?? fs.renameExclusive(from, to),
    }),
    request: async (request: LaneRequest): Promise<LaneReply> => placeOf(request.options).lane.request(request),
    forget(options) {
      for (const { lane, tasks } of places) if (tasks.delete(options)) lane.forget(options)
    },
    setSettings(next) {
      settings = next
      tellSettings()
    },
    dropIdle: () => {
      for (const { lane } of places) lane.dropIdle()
    },
    networkChanged: () => {
      for (const { lane } of places) lane.networkChanged()
    },
    close: async () => {
      await Promise.all(places.map(({ lane }) => lane.close()))
    },
  }
}

/** Workers keep idle connections each for itself: together no more than the settings allow, but one each at least. */
function shareOf(settings: HttpSettings, lanes: number): HttpSettings {
  const { idlePerHost, idleInAll } = settings.pool
  const share = (most: number) => (most === 0 ? 0 : Math.max(1, Math.floor(most / lanes)))
  return { ...settings, pool: { ...settings.pool, idlePerHost: share(idlePerHost), idleInAll: share(idleInAll) } }
}
