/** Settings: what clients set and what a damaged file holds. A value outside its bounds is never in force. */
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import Database from 'better-sqlite3'
import { afterAll, beforeAll, expect } from 'vitest'
import type { EngineDeps } from '../../electron/engine/ports.ts'
import { httpSettings, readSettings, shownSettings, storedPatch } from '../../electron/engine/settings.ts'
import { SILENT } from '../../electron/store/database.ts'
import { openStore } from '../../electron/store/index.ts'
import { DEFAULT_SETTINGS, Settings, SettingsPatch, TaskOptions } from '../../shared/schemas.ts'
import { realClock, startEngine, type TestEngine } from '../helpers/engine.ts'
import fc from '../helpers/property.ts'
import { answerOrRefusal, expectRefusal, fuzz, fuzzAsync, nearly } from './fuzz.ts'
import { nearlyValue, valueFor } from './json.ts'

const folder = mkdtempSync(join(tmpdir(), 'nighthaul-fuzz-settings-'))
const BOUNDED = Object.keys(DEFAULT_SETTINGS) as (keyof typeof DEFAULT_SETTINGS)[]
let engine: TestEngine
/** of a profile of its own */
let db: Database.Database
let store: ReturnType<typeof openStore>['store']
beforeAll(async () => {
  engine = await startEngine({ clock: realClock })
  const path = join(folder, 'nighthaul.db')
  store = openStore({ path, now: Date.now, logger: SILENT }).store
  db = new Database(path)
  db.pragma('synchronous = OFF')
})
afterAll(async () => {
  db.close()
  store.close()
  await engine[Symbol.asyncDispose]()
  rmSync(folder, { recursive: true, force: true })
})

/** Everything there, of its kind, within its bounds, and nothing else. */
function expectInBounds(settings: Settings): void {
  expect(Settings.strict().parse(settings)).toEqual(settings)
  for (const [name, value] of Object.entries(httpSettings(settings, '1.0').pool))
    expect(Number.isSafeInteger(value), name).toBe(true)
}

/** Few at once, so that some patches are good as a whole. */
const patch = nearlyValue(
  fc
    .tuple(valueFor(SettingsPatch, folder), fc.shuffledSubarray(Object.keys(SettingsPatch.shape), { maxLength: 6 }))
    .map(([values, names]) =>
      Object.fromEntries(Object.entries(values as object).filter(([name]) => names.includes(name))),
    ),
)

fuzzAsync('a patch is taken whole or refused whole', [patch], async (input) => {
  const before = await engine.call('settings.get')
  const parsed = SettingsPatch.safeParse(input)
  if (!parsed.success) return false
  const after = await engine.call('settings.set', parsed.data).catch((error: unknown) => {
    expectRefusal(error)
    return null
  })
  expectInBounds(await engine.call('settings.get'))
  if (after === null) expect(await engine.call('settings.get')).toEqual(before)
  else expect(after).toEqual(await engine.call('settings.get'))
  return after !== null
})

const key = fc.oneof(fc.constantFrom(...BOUNDED), fc.constantFrom('downloadFolder', '__proto__', 'toString', '', 'x'))
const stored = nearly(nearlyValue(valueFor(Settings, folder)).map((value) => JSON.stringify(value) ?? ''))
const single = nearlyValue(fc.jsonValue({ maxDepth: 1 })).map((value) => JSON.stringify(value) ?? '')
const rows = fc.array(fc.tuple(key, fc.oneof(stored, single, nearly(single))), { maxLength: 6 })

fuzz('a damaged table of settings gives the defaults for what cannot be read', [rows], (damaged) => {
  const put = db.prepare('INSERT OR REPLACE INTO settings (key, value) VALUES (?, ?)')
  db.transaction(() => {
    db.exec('DELETE FROM settings')
    for (const [name, value] of damaged) put.run(name.toWellFormed(), value.toWellFormed())
  })()
  expectInBounds(readSettings({ store, defaultDownloadFolder: folder } as unknown as EngineDeps))
})

const proxy = nearly(
  fc.constantFrom(
    'http://user:pass@proxy.test:8080',
    'socks5://…@proxy.test',
    'proxy.test:3128',
    '…@x',
    'http://a@b@c',
  ),
)
fuzz('a proxy that is set is never shown with its password', [proxy, proxy], (before, next) => {
  const store = { getSettings: () => ({ proxy: before }) }
  const deps = { store, defaultDownloadFolder: folder } as unknown as EngineDeps
  const settings = readSettings(deps)
  const patched = answerOrRefusal(() => storedPatch({ proxy: next }, settings))
  if (patched === undefined) return false
  const shown = shownSettings({ ...settings, ...patched }).proxy ?? ''
  const secret = /:([^@/]{3,})@/.exec(shown)?.[1]
  expect(secret).toBe(undefined)
  return true
})

fuzz('options of a task are within their bounds, or refused', [nearlyValue(valueFor(TaskOptions, folder))], (input) => {
  const parsed = TaskOptions.safeParse(input)
  if (!parsed.success) return false
  const { connections, limitBytesPerSecond, retries, headers, timeoutMs } = parsed.data
  for (const [value, least] of [
    [connections, 1],
    [limitBytesPerSecond, 1],
    [retries, 0],
    [timeoutMs, 100],
  ] as const)
    if (value !== undefined) expect(Number.isSafeInteger(value) && value >= least).toBe(true)
  for (const [name, value] of headers ?? []) expect(`${name}${value}`).not.toMatch(/[\r\n\0]/)
  return true
})
