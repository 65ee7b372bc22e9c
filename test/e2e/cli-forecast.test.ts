/** `schedule forecast`, and what `queue list` says of a deadline. */
import { expect, test, vi } from 'vitest'
import { cliHome, jsonLines } from '../helpers/cli.ts'

vi.setConfig({ testTimeout: 60_000 })

test('tells what will be fetched when, and what cannot be told yet', async () => {
  await using home = await cliHome()
  await home.run('queue', 'add', 'Night', '--window', '23:00-07:00', '--finish-by', '06:00')
  await home.run('add', '--queue', 'Night', 'http://127.0.0.1:9/a.bin', 'http://127.0.0.1:9/b.bin')
  const { code, stdout } = await home.run('schedule', 'forecast', '--json')
  expect(code).toBe(0)
  const [line, usual, night] = jsonLines(stdout) as Record<string, unknown>[]
  expect(line).toMatchObject({ line: { basis: 'assumed' } })
  expect(usual).toMatchObject({ name: 'Default', files: 0, tasks: [], outlook: null })
  expect(night).toMatchObject({
    ...{ name: 'Night', files: 2, sizesEstimated: 2 },
    tasks: [{ name: 'a.bin' }, { name: 'b.bin' }],
    outlook: { kind: 'unknown', missing: ['rate', 'size'], files: 2 },
  })
  const people = await home.run('schedule', 'forecast', '--queue', 'night')
  expect(people.stdout).toMatch(/^Line: .*assumed.*\nNight: 2 to do, ~.*\n {2}by .*06:00: cannot be told, no speed/)
  expect(
    (await home.run('schedule', 'repeat', 'add', '--when', 'daily 02:00', 'http://127.0.0.1:9/dump.sql')).code,
  ).toBe(0)
  expect((await home.run('schedule', 'forecast')).stdout).toMatch(
    /\nRepeating downloads, .*\n {2}1 .*02:00: .* dump\.sql\n/,
  )
  const [withRuns] = jsonLines((await home.run('schedule', 'forecast', '--json')).stdout) as Record<string, unknown>[]
  expect((withRuns!.repeats as unknown[])[0]).toMatchObject({ id: 1, name: 'dump.sql', sizeKnown: false })
  expect((await home.run('queue', 'list')).stdout).toMatch(/Night .*06:00: cannot be told/)
  expect((await home.run('schedule', 'forecast', '--queue', 'none')).code).not.toBe(0)
})
