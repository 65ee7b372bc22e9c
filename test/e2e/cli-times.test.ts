/** Starts, profiles, repeating downloads and missed windows as other programs set them. */
import { expect, test, vi } from 'vitest'
import { cliHome, jsonLines } from '../helpers/cli.ts'

vi.setConfig({ testTimeout: 90_000 })

const URL = 'https://example.org/dump.sql.gz'

test('a download starts when it is told to, in whichever zone that is said', async () => {
  await using home = await cliHome()
  const at = '2099-03-29T02:30'
  const added = await home.run('add', URL, '--start-at', at, '--tz', 'Europe/Berlin', '--json')
  expect(added.code).toBe(0)
  // That time does not exist there: it is the first moment after the gap.
  const startAt = Date.parse('2099-03-29T01:00:00Z')
  const shown = async () => jsonLines((await home.run('show', '1', '--json')).stdout)[0]
  expect(await shown()).toMatchObject({ state: 'waiting', startAt, retryAt: startAt })
  const before = Date.now()
  expect(await home.run('set', '1', '--start-in', '1h30m')).toMatchObject({ code: 0 })
  expect(((await shown()) as { startAt: number }).startAt - before).toBeGreaterThanOrEqual(5_400_000)
  expect(await home.run('set', '1', '--start-at', 'now')).toMatchObject({ code: 0 })
  expect(await shown()).toMatchObject({ state: 'queued', startAt: null })
})

test('profiles are shown, changed and chosen for a while', async () => {
  await using home = await cliHome()
  const profile = (...words: string[]) => home.run('schedule', 'profile', ...words)
  const set = await profile('set', 'day', '--window', '00:00-24:00', '--jobs', '1', '--limit-rate', '1M', '--json')
  expect(jsonLines(set.stdout)).toMatchObject([
    { current: { name: 'day', by: 'schedule', until: null }, effective: { downloadsAtOnce: 1 } },
  ])
  const used = await profile('use', 'calls', '--for', '2h')
  expect(used.stdout).toMatch(/^Profile: calls, chosen by hand, until /)
  const listed = await profile()
  expect(listed.stdout).toMatch(/^day +1.0 MB\/s, 1 at once, 4 connections a host.*Mon-Sun 00:00-24:00$/m)
  expect((await profile('set', 'day', '--limit-rate', 'none')).stdout).toMatch(/^day: no speed limit, 1 at once/)
  expect((await profile('set', 'day', '--limit-rate', 'default')).stdout).toMatch(/^day: 1 at once/)
  expect((await profile('use', 'auto')).stdout).toMatch(/^Profile: day, by the schedule\n$/)
  expect(await profile('set', 'day', '--window', 'sometimes')).toMatchObject({ code: 2 })
})

test('repeating downloads are set, shown and ended', async () => {
  await using home = await cliHome()
  const repeat = (...words: string[]) => home.run('schedule', 'repeat', ...words)
  const added = await repeat(
    ...['add', 'https://me:secret@example.org/dump.sql.gz', '--when', 'Mon-Fri 2:00, Sat 12:00', '--tz', 'UTC'],
    ...['--keep', '7', '--name', '{name}-{n}{ext}', '--missed', 'ask', '--json'],
  )
  expect(added.stdout).not.toContain('secret')
  expect(jsonLines(added.stdout)).toMatchObject([
    { id: 1, url: URL, when: 'Mon-Fri 02:00, Sat 12:00', keepLast: 7, missed: 'ask', nameTemplate: '{name}-{n}{ext}' },
  ])
  expect((await repeat('pause', '1')).stdout).toBe(`1\t${URL}\tpaused\n`)
  const set = await repeat('set', '1', '--keep', 'all', '--when', 'daily 03:00', '--json')
  expect(jsonLines(set.stdout)).toMatchObject([{ keepLast: null, when: 'daily 03:00', paused: true, nextAt: null }])
  expect((await repeat()).stdout).toMatch(/1 +daily 03:00 +paused +https:/)
  expect(await repeat('add', URL, '--when', 'daily 02:00', '--name', '{year}')).toMatchObject({ code: 2 })
  expect(await repeat('remove', '1')).toMatchObject({ code: 0 })
  expect(await repeat('remove', '1')).toMatchObject({ code: 1 })
  const missed = await home.run('schedule', 'missed', 'run', 'default')
  expect(missed).toMatchObject({ code: 1, stderr: expect.stringMatching(/^nighthaul: No window of .* was missed/) })
})
