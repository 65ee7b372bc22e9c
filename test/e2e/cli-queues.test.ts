/** The commands about queues as people and programs use them. */
import { mkdir } from 'node:fs/promises'
import { join } from 'node:path'
import { expect, test, vi } from 'vitest'
import { cliHome, jsonLines } from '../helpers/cli.ts'
import { startFaultServer } from '../helpers/fault-server.ts'

vi.setConfig({ testTimeout: 120_000 })

test('a queue is made, changed, stopped, listed and used', async () => {
  await using server = await startFaultServer()
  await using home = await cliHome()
  const folder = join(home.files, 'night')
  await mkdir(folder, { recursive: true })
  const made = await home.run(
    ...['queue', 'add', 'Night', '--window', '23:00-07:00', '--tz', 'europe/berlin', '--limit-rate', '20M'],
    ...['--priority', '-2', '--weight', '3', '--at-once', '2', '-x', '4', '--folder', folder, '--finish-by', '07:00'],
    ...[
      '--missed',
      'next',
      '--when-done',
      'notify',
      '--when-done',
      'webhook=https://hook.example/x',
      '--position',
      '1',
    ],
    ...['--category', 'Images: iso, .img -> images', '--json'],
  )
  expect(made).toMatchObject({ code: 0, stderr: '' })
  const fields = {
    ...{
      name: 'Night',
      windows: 'Mon-Sun 23:00-07:00',
      timeZone: 'Europe/Berlin',
      limitBytesPerSecond: 20 * 1024 ** 2,
    },
    ...{ priority: -2, weight: 3, downloadsAtOnce: 2, connections: 4, folder, finishBy: '07:00', missed: 'next' },
    whenDone: [{ kind: 'notify' }, { kind: 'webhook', url: 'https://hook.example/x' }],
    categories: [{ name: 'Images', extensions: ['iso', 'img'], hosts: [], folder: 'images' }],
  }
  expect(jsonLines(made.stdout)).toMatchObject([fields])
  expect(jsonLines((await home.run('queue', '--json')).stdout)).toMatchObject([fields, { name: 'Default' }])

  const changed = await home.run('queue', 'set', 'night', '--at-once', 'default', '--window', 'always', '--json')
  expect(jsonLines(changed.stdout)).toMatchObject([{ ...fields, downloadsAtOnce: null, windows: null, hold: null }])
  expect((await home.run('queue', 'stop', 'Night')).stdout).toBe('Night: stopped; what ran keeps what it has\n')

  server.add('/a.iso', { size: 1000, seed: 1 })
  server.add('/b.bin', { size: 1000, seed: 2 })
  await home.run('add', '--queue', 'Night', server.url('/a.iso'), server.url('/b.bin'))
  const list = async () =>
    jsonLines((await home.run('list', '--json')).stdout) as { id: number; folder: string; state: string }[]
  expect((await list()).map((task) => task.folder)).toEqual([join(folder, 'images'), folder])
  await home.run('reorder', '2', '--first')
  expect((await list()).map(({ id }) => id)).toEqual([2, 1])

  const serve = home.start('serve')
  await serve.firstLine
  // Stopped: nothing of it runs, but what is forced.
  expect((await home.run('force', '1')).stdout).toBe('1 download forced\n')
  await vi.waitFor(async () => expect((await list()).map(({ state }) => state)).toEqual(['queued', 'done']), 20_000)
  expect((await home.run('queue', 'list')).stdout).toMatch(/1 +Default +idle\n|Night +stopped/)
  await home.run('queue', 'start', 'Night')
  await vi.waitFor(async () => expect((await list()).map(({ state }) => state)).toEqual(['done', 'done']), 20_000)
})

test.each([
  [['add', 'X', '--window', 'sometimes'], '--window'],
  [['add', 'X', '--tz', 'Mars/Olympus'], '--tz'],
  [['add', 'X', '--finish-by', '25:00'], '--finish-by'],
  [['add', 'X', '--priority', '11'], '--priority'],
  [['add', 'X', '--category', 'nonsense'], '--category'],
  [['add', 'X', '--when-done', 'explode'], '--when-done'],
  [['set', 'Default'], 'Say what to change'],
])('queue %j is refused in one sentence', async (args, words) => {
  await using home = await cliHome()
  const { code, stdout, stderr } = await home.run('queue', ...args)
  expect({ code, stdout }).toEqual({ code: 2, stdout: '' })
  expect(stderr).toContain(words)
  expect(stderr.trim().split('\n')).toHaveLength(1)
})
