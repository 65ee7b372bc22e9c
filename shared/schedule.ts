/** What the clock will do to queues and profiles, as it crosses the contract. */
import { z } from 'zod'
import type { ProfileName } from './profiles.ts'
import type { QueueId } from './schemas.ts'

const MOST_DAYS = 32

export const ScheduleSpansInput = z
  .object({ from: z.int().min(0).describe('epoch ms'), to: z.int().min(0).describe('epoch ms') })
  .strict()
  .refine(({ from, to }) => to > from && to - from <= MOST_DAYS * 86_400_000, `ask for up to ${MOST_DAYS} days`)
export type ScheduleSpansInput = z.output<typeof ScheduleSpansInput>

/** When a queue may work. Epoch ms. */
export interface QueueSpans {
  id: QueueId
  /** null: ever since, or for ever. A queue without windows is open all the time */
  spans: { from: number | null; to: number | null }[]
  /** when all of it should be there, as often as the time asked about has it */
  deadlines: number[]
}

export interface ScheduleSpans {
  /** in their order; also those that are stopped */
  queues: QueueSpans[]
  /** which profile holds when, within the time asked about */
  profiles: { name: ProfileName; from: number; to: number }[]
}
