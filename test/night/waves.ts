/** How the work of a night is spread over it, and where trouble meets it. */
import type { Random } from '../soak/random.ts'
import type { NightPlan, Span } from './night-plan.ts'

const MINUTE = 60_000
/** Downloads come in so many waves through the night, the last of them in time for what goes wrong. */
const WAVES = 5
const LAST_WAVE = 0.65
/** For so long the line is busy with each file, if it is not held up. */
export const BUSY_MS_PER_FILE = 4_000

/** Hosts that have most of the files. */
export const USUAL = ['a.example', 'b.example', 'c.example', 'mirror.example:8080', 'cdn.example']

/** When the wave begins that a file is in; the first one waits for the window. */
export function waveAt([from, to]: Span, number: number): number {
  const wave = number % WAVES
  return wave === 0 ? from - 20 * MINUTE : Math.floor(from + (to - from) * LAST_WAVE * (wave / (WAVES - 1)))
}

export const within = (plan: NightPlan): Span => plan.queues[0]!.open![0]!

/** So many spans of such a length, each around the beginning of a wave. */
export function spans(plan: NightPlan, random: Random, count: number, least: number, most: number): Span[] {
  const busyMs = (plan.files.length * BUSY_MS_PER_FILE) / WAVES
  return Array.from({ length: count }, (_, n): Span => {
    const length = random.whole(least, most)
    const wave = Math.max(within(plan)[0], waveAt(within(plan), Math.floor((n * WAVES) / count)))
    const at = wave + random.whole(-Math.floor(length / 2), Math.floor(busyMs / 2))
    return [at, at + length]
  })
}
