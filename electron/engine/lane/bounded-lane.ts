/** A lane that runs no more requests at once than the settings allow, whatever number of workers carries them out. */
import { ConnectionPool, type Pooled, type PoolLimits } from '../http/connection-pool.ts'
import type { HttpSettings } from '../http/http-client.ts'
import type { Clock } from '../ports.ts'
import type { Lane, LaneReply, LaneTransfer } from './lane.ts'

/** `lane`, whose requests wait for a place: rejects with `no_free_connection` after the longest wait. */
export function boundLane(lane: Lane, clock: Clock, limits: PoolLimits): Lane {
  const places = new ConnectionPool<Pooled>(clock, limits, () => {})
  return {
    ...lane,
    async request(asked) {
      const origin = URL.parse(asked.url)?.origin
      // What is no URL gets its error below.
      if (origin === undefined) return lane.request(asked)
      const open = () => ({ origin, key: origin, alive: true })
      const place = await places.acquire({ origin, key: origin, fresh: true, signal: asked.signal }, open)
      const leave = () => places.discard(place)
      try {
        return leaving(await lane.request(asked), leave)
      } catch (error) {
        leave()
        throw error
      }
    },
    setSettings(settings: HttpSettings) {
      places.setLimits(settings.pool)
      lane.setSettings(settings)
    },
  }
}

/** The same reply; `leave` is called when it is over, however it ends. */
function leaving(reply: LaneReply, leave: () => void): LaneReply {
  const watched = (transfer: LaneTransfer): LaneTransfer => {
    void transfer.ended.then(leave, leave)
    return transfer
  }
  return {
    ...reply,
    receive: (...order) => watched(reply.receive(...order)),
    compare: (...order) => watched(reply.compare(...order)),
    read: (...order) => {
      const body = reply.read(...order)
      void body.then(leave, leave)
      return body
    },
    abort() {
      reply.abort()
      leave()
    },
  }
}
