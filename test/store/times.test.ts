/** What is remembered of time, and repeating downloads: kept over restarts, and damage that costs only itself. */
import { expect, test } from 'vitest'
import { DEFAULT_REPEAT, type RepeatSettings, type RepeatState } from '../../shared/repeats.ts'
import { NO_SCHEDULE_STATE } from '../../shared/schedule-state.ts'
import { openRaw, openTestStore, storePath } from '../helpers/store.ts'

const SETTINGS: RepeatSettings = { ...DEFAULT_REPEAT, url: 'https://example.org/a', when: 'daily 02:00', keepLast: 3 }
const STATE: RepeatState = { settledAt: 5, askedUntil: null, runs: 2, taskId: 7, last: null, results: [] }

test('what is remembered of time is there for the next engine; what cannot be read is as if it had never been', () => {
  const path = storePath()
  const store = openTestStore({ path })
  expect(store.scheduleState()).toEqual(NO_SCHEDULE_STATE)
  const profileChoice = { name: 'calls', until: 99, kind: 'time' } as const
  store.setScheduleState({ aliveAt: 10, profileChoice, profiles: { day: { downloadsAtOnce: 3 } } })
  store.setScheduleState({ aliveAt: 20 }, { intent: false })
  store.close()
  const next = openTestStore({ path })
  const known = { ...NO_SCHEDULE_STATE, aliveAt: 20, profileChoice, profiles: { day: { downloadsAtOnce: 3 } } }
  expect(next.scheduleState()).toEqual(known)
  const raw = openRaw(path)
  raw.exec(`UPDATE schedule_state SET value = '{"name":"party"}' WHERE key = 'profileChoice'`)
  raw.exec(`INSERT INTO schedule_state VALUES ('tomorrow', '1'), ('missed', 'not JSON')`)
  expect(next.scheduleState()).toEqual({ ...known, profileChoice: null })
})

test('repeating downloads keep what can be read of them, and one that says neither what nor when stays stored', () => {
  const path = storePath()
  const store = openTestStore({ path })
  const [a, b, c] = [SETTINGS, SETTINGS, SETTINGS].map((settings) => store.addRepeat(settings, STATE))
  store.updateRepeat(a!, { state: { ...STATE, runs: 3 } })
  const raw = openRaw(path)
  raw.exec(`UPDATE repeats SET settings = json_set(settings, '$.keepLast', 'many'), state = '{}' WHERE id = ${b}`)
  raw.exec(`UPDATE repeats SET settings = json_remove(settings, '$.when') WHERE id = ${c}`)
  const known = store.repeats()
  expect(known).toMatchObject([
    { id: a, settings: SETTINGS, state: { runs: 3 } },
    // How far it was is not known: it begins anew.
    { id: b, settings: { ...SETTINGS, keepLast: null }, state: { runs: 0, taskId: null } },
  ])
  expect(raw.prepare('SELECT count(*) FROM repeats').pluck().get()).toBe(3)
  expect([store.removeRepeat(c!), store.removeRepeat(c!)]).toEqual([true, false])
  // Numbers are never given twice.
  expect(store.addRepeat(SETTINGS, STATE)).toBe(4)
})
