import { expect, test } from 'vitest'
import type { NewJournalEntry } from '../../shared/journal.ts'
import { openRaw, openTestStore, storePath } from '../helpers/store.ts'

const DAY_MS = 86_400_000
const window = (at: number): NewJournalEntry => ({
  ...{ at, taskId: null, code: null },
  kind: 'window_opened',
  params: { queueId: 1, queue: 'Night' },
})
const started = (at: number, taskId: number): NewJournalEntry => ({
  ...{ at, taskId, code: null },
  kind: 'started',
  params: { name: 'a', url: 'https://a.test/a', queueId: 1, host: 'a.test' },
})

test('entries are read page by page in order of time, all or only those of no single task', () => {
  const store = openTestStore()
  store.addToJournal([started(20, 1), window(10), started(10, 2), window(30), started(40, 3)])
  const read = (eventsOnly: boolean) => {
    const found: string[] = []
    let place: { after_at: number; after_id: number } | null = { after_at: 10, after_id: -1 }
    while (place !== null) {
      const page = store.journal({ ...place, to: 40, limit: 2, eventsOnly })
      found.push(...page.entries.map(({ at, kind, taskId }) => `${at} ${kind} ${taskId}`))
      place = page.next
    }
    return found
  }
  expect(read(false)).toEqual(['10 window_opened null', '10 started 2', '20 started 1', '30 window_opened null'])
  expect(read(true)).toEqual(['10 window_opened null', '30 window_opened null'])
  expect(store.latestInJournal('window_opened', 30)).toMatchObject({ at: 10 })
  expect(Object.fromEntries(store.journalCounts(10, 40))).toEqual({ started: 2, window_opened: 2 })
  expect(store.journalBegin()).toBe(10)
})

test('what is old is forgotten a part at a time, with the bytes by queue; a damaged entry is left out', () => {
  const path = storePath()
  const store = openTestStore({ path })
  store.addToJournal([window(1), window(2), window(3), window(DAY_MS)])
  store.addQueueBytes(60_001, new Map([[1, 5]]))
  store.addQueueBytes(119_999, new Map([[1, 7]]))
  store.addQueueBytes(DAY_MS, new Map([[2, 9]]))
  const bytes = () => store.queueBytes({ from: 0, to: 2 * DAY_MS, stepMs: 60_000 })
  expect(bytes()).toEqual([
    { queueId: 1, at: 60_000, bytes: 12 },
    { queueId: 2, at: DAY_MS, bytes: 9 },
  ])
  openRaw(path).exec("UPDATE journal SET params = '{' WHERE at = 2")
  const read = () => store.journal({ after_at: 0, after_id: -1, to: 2 * DAY_MS, limit: 10 }).entries.map(({ at }) => at)
  expect(read()).toEqual([1, 3, DAY_MS])
  expect(store.pruneJournal(DAY_MS, 2)).toBe(2)
  expect(store.pruneJournal(DAY_MS, 2)).toBe(1)
  expect(read()).toEqual([DAY_MS])
  expect(bytes()).toEqual([{ queueId: 2, at: DAY_MS, bytes: 9 }])
})

test('the start of an engine says until when it was seen to run', () => {
  const store = openTestStore()
  const [id] = store.addToJournal([
    { at: 5, kind: 'engine_started', taskId: null, code: null, params: { version: '1', aliveAt: 5 } },
  ])
  store.stillAlive(id!, 65)
  expect(store.latestInJournal('engine_started', 100)).toMatchObject({ at: 5, params: { version: '1', aliveAt: 65 } })
})
