/** Journals in the making, and the reports that are made of them: for tests of what a report says. */
import { expect } from 'vitest'
import { nightReport, type ReportFacts } from '../../electron/engine/night-report.ts'
import { rangeOfNight } from '../../electron/engine/nights.ts'
import type { JournalEntry, JournalKind, JournalParams } from '../../shared/journal.ts'
import { NightReport } from '../../shared/report.ts'

export const NIGHT = '2026-11-25'
export const RANGE = rangeOfNight(NIGHT, 'UTC')
export const MINUTE = 60_000
export const QUEUE = { queueId: 2, queue: 'Night' }
export const OTHER = { queueId: 3, queue: 'Other' }

/** `22:30` of the evening, or of the morning after midnight */
export function at(time: string): number {
  const [hours = 0, minutes = 0, seconds = 0] = time.split(':').map(Number)
  return RANGE.from + (((hours + 12) % 24) * 3600 + minutes * 60 + seconds) * 1000
}

/** A journal in the making, of queue 2 unless told otherwise. */
export class Script {
  readonly entries: JournalEntry[] = []

  note<K extends JournalKind>(
    time: string,
    kind: K,
    params: JournalParams[K],
    { taskId = null, code = null }: { taskId?: number | null; code?: string | null } = {},
  ): this {
    this.entries.push({ id: this.entries.length + 1, at: at(time), kind, taskId, code, params } as JournalEntry)
    return this
  }

  /** the engine runs from before the night on, and something waits */
  begin(time = '12:00'): this {
    return this.note(time, 'engine_started', { version: '1', aliveAt: at(time) }).note(time, 'queue_filled', QUEUE)
  }

  start(time: string, id: number, queueId = 2): this {
    return this.note(time, 'started', { ...about(id, queueId), host: 'a.test' }, { taskId: id })
  }

  finish(time: string, id: number, more: Partial<JournalParams['finished']> = {}): this {
    const params = { ...about(id, more.queueId ?? 2), bytes: 1000, ms: MINUTE, sizeBytes: 1000, against: null, ...more }
    return this.note(time, 'finished', params, { taskId: id })
  }

  fail(time: string, id: number, code: string, retryAt: string): this {
    return this.note(time, 'failed', { ...about(id), ...FAILURE, retryAt: at(retryAt) }, { taskId: id, code })
  }

  giveUp(time: string, id: number, code: string, error: Record<string, number> = {}): this {
    return this.note(time, 'given_up', { ...about(id), ...FAILURE, error, tries: 3 }, { taskId: id, code })
  }
}

export const FAILURE = { bytes: 10, ms: MINUTE, message: 'It went wrong.', error: {} }
export const about = (id: number, queueId = 2) => ({ name: `${id}.bin`, url: `https://a.test/${id}.bin`, queueId })

/** Minutes in which bytes came: from a time until another. */
export function minutes(...spans: [string, string, number?][]): { at: number; bytes: number }[] {
  return spans.flatMap(([from, to, bytes = 100]) =>
    Array.from({ length: (at(to) - at(from)) / MINUTE }, (_, n) => ({ at: at(from) + n * MINUTE, bytes })),
  )
}

export function report(script: Script, more: Partial<ReportFacts> = {}): NightReport {
  const came = more.minutes ?? []
  const made = nightReport({
    ...{
      range: RANGE,
      night: NIGHT,
      timeZone: 'UTC',
      now: RANGE.to + 1,
      alive: true,
      repeats: new Map(),
      queueId: null,
    },
    entries: script.entries,
    minutes: came,
    queueMinutes: (came ?? []).map((minute) => ({ ...minute, queueId: 2 })),
    queues: [QUEUE, OTHER].map(({ queueId, queue }) => ({ id: queueId, name: queue, hold: null, changesAt: null })),
    ...{ undone: [], undoneByQueue: new Map() },
    ...more,
  })
  expect(NightReport.parse(made)).toEqual(made)
  return made
}
