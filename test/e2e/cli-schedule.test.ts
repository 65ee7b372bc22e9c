/** `schedule preview` as other programs call it. */
import { expect, test, vi } from 'vitest'
import { cliHome, jsonLines } from '../helpers/cli.ts'

vi.setConfig({ testTimeout: 60_000 })

test('tells when windows open and close, in a named zone, over both changes of the clock', async () => {
  await using home = await cliHome()
  const preview = (...flags: string[]) => home.run('schedule', 'preview', ...flags)
  const spring = await preview(
    ...['--window', 'Sat 23:00-07:00, Sun 02:30-03:30', '--tz', 'Europe/Berlin'],
    ...['--from', '2026-03-28T12:00', '--days', '8', '--json'],
  )
  expect(spring).toMatchObject({ code: 0, stderr: '' })
  expect(jsonLines(spring.stdout)).toEqual([
    { at: '2026-03-28T22:00:00.000Z', action: 'start' },
    { at: '2026-03-29T05:00:00.000Z', action: 'stop' },
    { at: '2026-04-04T21:00:00.000Z', action: 'start' },
    { at: '2026-04-05T05:00:00.000Z', action: 'stop' },
  ])
  // One that has begun before is not listed, and neither is one that begins when the days are over.
  const autumn = await preview(
    ...['--window', 'Mon-Sun 01:30-03:00', '--tz', 'America/New_York'],
    ...['--from', '2026-11-01T01:31', '--days', '1', '--json'],
  )
  expect(jsonLines(autumn.stdout)).toEqual([
    { at: '2026-11-02T06:30:00.000Z', action: 'start' },
    { at: '2026-11-02T08:00:00.000Z', action: 'stop' },
  ])
  const people = await preview('--window', '23:00-07:00', '--tz', 'UTC', '--from', '2026-11-26', '--days', '1')
  expect(people.stdout).toMatch(/^Thu.*23:00 UTC {2}to {2}Fri.*07:00 UTC\n$/)
  const always = await preview('--window', '00:00-24:00', '--tz', 'UTC', '--from', '2026-11-26', '--days', '2')
  expect(always).toMatchObject({ code: 0, stdout: '', stderr: expect.stringContaining('open all the time') })

  for (const flags of [
    ['--window', 'whenever', '--tz', 'UTC'],
    ['--window', '23:00-07:00', '--tz', 'Mars/Olympus'],
    ['--window', '23:00-07:00', '--tz', 'UTC', '--from', 'tomorrow'],
    ['--window', '23:00-07:00', '--tz', 'UTC', '--days', '0'],
    ['--tz', 'UTC'],
  ]) {
    const { code, stdout, stderr } = await preview(...flags)
    expect({ code, stdout }).toEqual({ code: 2, stdout: '' })
    expect(stderr).toMatch(/^nighthaul: .+\n$/)
  }
})
