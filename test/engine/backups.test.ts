/** The owner of the queue backs the list up by itself; what fails is told, and nothing else stops. */
import { readdir, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { expect, it } from 'vitest'
import type { Notice } from '../../shared/notices.ts'
import { startEngine } from '../helpers/engine.ts'
import { createManualClock, type ManualClock } from '../helpers/manual-clock.ts'

const DAY_MS = 86_400_000

/** Moved by hand; the hour is the store’s, which names backups by it. */
function skippingClock(): ManualClock {
  const clock = createManualClock()
  return Object.assign(Object.create(clock), { now: () => Date.now() + clock.monotonic() })
}
const backupsIn = (profile: string) => readdir(join(profile, 'backups')).catch(() => [])

it('backs up soon after the start where the last backup is older than a day, and once a day from then on', async () => {
  const clock = skippingClock()
  await using engine = await startEngine({ clock })
  await engine.call('tasks.add', { items: [{ url: 'http://127.0.0.1:9/a' }], paused: true })
  clock.advance(60_000)
  await expect.poll(() => backupsIn(engine.profile)).toHaveLength(1)
  await engine.call('tasks.add', { items: [{ url: 'http://127.0.0.1:9/b' }], paused: true })
  clock.advance(DAY_MS / 2)
  await new Promise((resolve) => setTimeout(resolve, 50))
  expect(await backupsIn(engine.profile)).toHaveLength(1)
})

it('tells that it failed, and goes on', async () => {
  const clock = skippingClock()
  await using engine = await startEngine({ clock })
  const heard: Notice[][] = []
  engine.engine.events.subscribe('notices.changed', (notices) => heard.push(notices), { visible: true })
  await writeFile(join(engine.profile, 'backups'), 'a file where the folder belongs')
  clock.advance(60_000)
  await expect.poll(() => heard.length).toBe(1)
  const [notice] = await engine.call('notices.list')
  expect(notice).toMatchObject({ code: 'backup_failed' })
  expect(heard[0]).toEqual([notice])
  await engine.call('tasks.add', { items: [{ url: 'http://127.0.0.1:9/a' }], paused: true })
  expect(await engine.call('notices.dismiss', { id: notice!.id })).toEqual({ dismissed: true })
  expect(await engine.call('notices.list')).toEqual([])
})

it('is left alone where none are wanted', async () => {
  const clock = skippingClock()
  await using engine = await startEngine({ clock, settings: { backupDays: 0, backupWeeks: 0 } })
  clock.advance(60_000)
  await new Promise((resolve) => setTimeout(resolve, 50))
  expect(await backupsIn(engine.profile)).toEqual([])
})
