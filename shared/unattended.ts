/** What crosses the contract of power, of work that goes on, and of what happens when all of it is done. */
import type { QueueId } from './schemas.ts'

export const POWER_SOURCES = ['ac', 'battery'] as const
export type PowerSource = (typeof POWER_SOURCES)[number]

/** What downloads do on battery. */
export const ON_BATTERY = ['nothing', 'pause', 'limit'] as const

export interface Activity {
  /** something is fetched, or is about to be tried again */
  working: boolean
  /** that is so, and the user agreed that the machine does not sleep meanwhile */
  keepAwake: boolean
  /** files that are being moved, or compared with their checksums, or wait for it */
  files: number
}

/** What only the program that the engine runs in can do, the gentlest first. */
export const MACHINE_ACTIONS = ['quit', 'sleep', 'hibernate', 'shutdown'] as const
export type MachineAction = (typeof MACHINE_ACTIONS)[number]

/** What is about to happen to the machine; it can be called off until then. */
export interface Countdown {
  action: MachineAction
  /** the queue whose end asked for it; null: the end of all */
  queue: string | null
  /** epoch ms */
  endsAt: number
}

/** How the work of a queue (null: of all) went, from the first download that ran to the last that ended. */
export interface WorkDone {
  queueId: QueueId | null
  queue: string | null
  done: number
  failed: number
  /** stopped by the disk, or kept apart because the file changed */
  left: number
  /** of the files that are done */
  bytes: number
  /** epoch ms */
  startedAt: number
  endedAt: number
}
