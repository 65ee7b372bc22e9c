/**
 * Threads that lanes run in. One can be started ahead: its code is loaded on another core while this one still finds
 * out what is to be done.
 */
import { Worker } from 'node:worker_threads'

/** Little lives long here: a larger nursery is only more memory in use. */
const THREAD = { resourceLimits: { maxYoungGenerationSizeMb: 2 } }

let ahead: { entry: string; worker: Worker } | null = null

/** Starts a thread that the next `laneThread` of this entry takes. The process need not wait for it. */
export function startLaneThread(entry: URL): void {
  const worker = new Worker(entry, THREAD)
  worker.unref()
  // One that fails before it is taken is no loss: the next is started when it is needed.
  worker.once('error', () => {
    if (ahead?.worker === worker) ahead = null
  })
  ahead = { entry: entry.href, worker }
}

/** The thread that was started ahead, or a new one. `entry`: lane-worker.ts, or what it was built to. */
export function laneThread(entry: URL): Worker {
  if (ahead?.entry !== entry.href) return new Worker(entry, THREAD)
  const { worker } = ahead
  ahead = null
  worker.removeAllListeners('error')
  worker.ref()
  return worker
}
