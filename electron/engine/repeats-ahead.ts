/** Runs of repeating downloads that are to come, for forecasts; those under way are downloads already. */
import type { RepeatId, RepeatRecord } from '../../shared/repeats.ts'
import { filenameInLink } from './filename.ts'
import type { ComingRun } from './forecast-facts.ts'
import { runsAhead } from './repeat-plan.ts'
import { systemTimeZone } from './window-times.ts'

/** Times are looked up for so much longer than asked: those of a week cost something. */
const LONGER_MS = 3_600_000

export class RepeatsAhead {
  /** times by repeat, as looked up at a moment */
  readonly #known = new Map<RepeatId, { at: number; until: number; times: number[] }>()

  /** Repeats are others now. */
  clear(): void {
    this.#known.clear()
  }

  /** Runs until a time, the soonest first, as large as the latest results. */
  runs(records: readonly RepeatRecord[], now: number, until: number): ComingRun[] {
    return records
      .flatMap((record) => {
        const { id, settings, state } = record
        const { url, queueId, options } = settings
        const facts = { id, name: filenameInLink(url), queueId, host: new URL(url).host }
        const more = {
          bytes: state.results[0]?.bytes ?? null,
          limitBytesPerSecond: options.limitBytesPerSecond ?? null,
        }
        return this.#times(record, now, until).map((at): ComingRun => ({ ...facts, at, ...more }))
      })
      .sort((a, b) => a.at - b.at)
  }

  #times({ id, settings, state }: RepeatRecord, now: number, until: number): number[] {
    let known = this.#known.get(id)
    if (!known || now < known.at || until > known.until) {
      const end = until + LONGER_MS
      known = { at: now, until: end, times: runsAhead(settings, state, systemTimeZone(), now, end) }
      this.#known.set(id, known)
    }
    return known.times.filter((at) => at > now && at < until)
  }
}
