/**
 * Whose turn it is: which queue gets the next free place. Pure.
 *
 * Queues of a higher priority come first. Among equals the one whose running downloads are the smallest part of its
 * weight is next (weighted fair sharing of places), so that places are shared as the weights say however long single
 * downloads take.
 */
import type { QueueId } from '../../shared/schemas.ts'

/** A queue that may work and has something to do. */
export interface Contender {
  id: QueueId
  priority: number
  weight: number
  /** the most downloads at once; null: no number of its own */
  downloadsAtOnce: number | null
  running: number
}

/** Downloads that have all their bytes and wait for the disk hold no place, up to so many. */
export const MOST_FINISHING = 64

/** The runs that hold a place: others may begin while these only get their names, but not without end. */
export function holdingPlaces<Run extends { finishing: boolean }>(runs: readonly Run[]): Run[] {
  let finishing = 0
  return runs.filter((run) => !run.finishing || ++finishing > MOST_FINISHING)
}

/** The queue that gets the next place; null: none may have one. In equal cases the first of them. */
export function nextQueue(contenders: readonly Contender[]): Contender | null {
  let best: Contender | null = null
  for (const queue of contenders) {
    if (queue.downloadsAtOnce !== null && queue.running >= queue.downloadsAtOnce) continue
    if (best === null || isBefore(queue, best)) best = queue
  }
  return best
}

function isBefore(a: Contender, b: Contender): boolean {
  if (a.priority !== b.priority) return a.priority > b.priority
  return (a.running + 1) / a.weight < (b.running + 1) / b.weight
}
