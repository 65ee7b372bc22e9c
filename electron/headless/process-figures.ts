/** How this process is: memory, open files and how late its event loop is. What monitoring and long runs look at. */
import { readdirSync } from 'node:fs'
import { monitorEventLoopDelay } from 'node:perf_hooks'

/** Finer costs more than it tells. */
const RESOLUTION_MS = 10
const NS_PER_SECOND = 1e9

export interface ProcessFigures {
  /** epoch seconds */
  startedAt: number
  cpuSeconds: number
  residentBytes: number
  heapUsedBytes: number
  /** buffers, and whatever else lies outside the heap */
  externalBytes: number
  /** files, sockets and pipes; null: the system does not tell */
  openFiles: number | null
  /** seconds by which the event loop was late, since this was last read */
  eventLoopDelay: { median: number; p99: number; most: number }
}

/** Watches until `close`. */
export function watchProcess(): { read(): ProcessFigures; close(): void } {
  const delays = monitorEventLoopDelay({ resolution: RESOLUTION_MS })
  delays.enable()
  // What is recorded is the time between two looks: the delay is what goes beyond the resolution.
  const seconds = (ns: number) => (delays.count === 0 ? 0 : Math.max(0, ns / NS_PER_SECOND - RESOLUTION_MS / 1000))
  return {
    read() {
      const { rss, heapUsed, external } = process.memoryUsage()
      const { user, system } = process.cpuUsage()
      const eventLoopDelay = {
        median: seconds(delays.percentile(50)),
        p99: seconds(delays.percentile(99)),
        most: seconds(delays.max),
      }
      delays.reset()
      return {
        startedAt: performance.timeOrigin / 1000,
        cpuSeconds: (user + system) / 1e6,
        residentBytes: rss,
        heapUsedBytes: heapUsed,
        externalBytes: external,
        openFiles: openFiles(),
        eventLoopDelay,
      }
    },
    close: () => void delays.disable(),
  }
}

function openFiles(): number | null {
  const folder = { linux: '/proc/self/fd', darwin: '/dev/fd' }[process.platform as string]
  // less the one that reading the folder takes
  return folder === undefined ? null : readdirSync(folder).length - 1
}
