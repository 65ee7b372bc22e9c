/** What becomes of the app when its last window is closed, against an engine and without Electron. */
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { afterClosing, type Closing, lastWindowClosed, stayNotification } from '../../electron/platform/closing.ts'
import { hasTrayHost } from '../../electron/platform/tray-host.ts'
import { createFakeEngine, directClient } from '../helpers/fake-engine.ts'

const WORK: Closing = {
  ...{
    platform: 'linux',
    hasTray: true,
    whenClosed: 'tray',
    pending: { downloads: 2, repeats: 0, files: 0, countdown: false },
  },
}
const NOTHING = { downloads: 0, repeats: 0, files: 0, countdown: false }

test.each<[string, Partial<Closing>, 'stay' | 'quit']>([
  ['downloads are left', {}, 'stay'],
  ['a download repeats', { pending: { ...NOTHING, repeats: 1 } }, 'stay'],
  ['the machine is about to be turned off', { pending: { ...NOTHING, countdown: true } }, 'stay'],
  ['files are being moved or compared', { pending: { ...NOTHING, files: 1 } }, 'stay'],
  ['nothing is left', { pending: NOTHING }, 'quit'],
  ['there is no tray', { hasTray: false }, 'quit'],
  ['the settings say so', { whenClosed: 'quit' }, 'quit'],
  ['it is a Mac, where apps stay', { platform: 'darwin', pending: NOTHING }, 'stay'],
  ['it is a Mac whose user wants it', { platform: 'darwin', whenClosed: 'quit' }, 'quit'],
])('where %s it does what people expect', (_why, change, expected) => {
  expect(afterClosing({ ...WORK, ...change })).toBe(expected)
})

test('it says what is left, in numbers that agree', () => {
  expect(stayNotification({ ...NOTHING, downloads: 1, repeats: 3 }).body).toMatch(/^1 download is not done yet\./)
  expect(stayNotification({ ...NOTHING, downloads: 1200 }).body).toMatch(/^1,200 downloads are not done yet\./)
  expect(stayNotification({ ...NOTHING, files: 1, repeats: 2 }).body).toMatch(/^1 file is being moved or compared\./)
  expect(stayNotification({ ...NOTHING, files: 3 }).body).toMatch(/^3 files are being moved or compared\./)
  expect(stayNotification({ ...NOTHING, repeats: 1 }).body).toMatch(/^1 download repeats\./)
})

describe('the last window', () => {
  let folder: string
  beforeEach(async () => {
    folder = await mkdtemp(join(tmpdir(), 'nighthaul-closing-'))
  })
  afterEach(() => rm(folder, { recursive: true, force: true }))

  function app(tasks: number) {
    const engine = createFakeEngine({ tasks })
    const client = directClient(engine)
    const seen: string[] = []
    const close = (change: { hasWindow?: boolean } = {}) =>
      lastWindowClosed({
        platform: 'linux',
        engine: async () => client,
        hasTray: async () => true,
        hasWindow: () => change.hasWindow ?? false,
        notify: ({ title }) => ({ on: () => undefined as never, show: () => void seen.push(title ?? '') }),
        showWindow: () => void seen.push('show'),
        quit: () => void seen.push('quit'),
        toldPath: join(folder, 'told'),
        logger: { info: () => undefined, warn: (_data, message) => void seen.push(message) },
      })
    return { engine, client, seen, close }
  }

  test('says once that the app goes on', async () => {
    const { seen, close } = app(6)
    await close()
    await close()
    expect(seen).toEqual(['Nighthaul goes on in the tray'])
  })

  test('goes on where it cannot be noted that it was said, and says it again', async () => {
    const { seen, close } = app(6)
    await rm(folder, { recursive: true })
    await close()
    await close()
    const words = ['Nighthaul goes on in the tray', 'that the app stays in the tray was said, and could not be noted']
    expect(seen).toEqual([...words, ...words])
  })

  test('ends the app where nothing is left or counts down, where the settings say so, and where nobody answers', async () => {
    const idle = app(0)
    for (const { id } of await idle.client.call('repeats.list')) await idle.client.call('repeats.remove', { id })
    await idle.close()
    expect(idle.seen).toEqual(['quit'])

    const counting = app(0)
    for (const { id } of await counting.client.call('repeats.list'))
      await counting.client.call('repeats.remove', { id })
    counting.engine.countDown({ action: 'shutdown', queue: null, endsAt: Date.now() + 60_000 })
    await counting.close()
    expect(counting.seen).toEqual(['Nighthaul goes on in the tray'])

    const told = app(6)
    await told.client.call('settings.set', { whenClosed: 'quit' })
    await told.close()
    expect(told.seen).toEqual(['quit'])

    const gone = app(6)
    gone.client.drop()
    await gone.close()
    expect(gone.seen).toEqual(['the engine did not say whether anything is left', 'quit'])
  })

  test('is not the last where one was opened meanwhile', async () => {
    const { seen, close } = app(0)
    await close({ hasWindow: true })
    expect(seen).toEqual([])
  })
})

describe('a tray that can be seen', () => {
  const missing = Object.assign(new Error('not there'), { code: 'ENOENT' })

  test('is there on Windows and on a Mac without a question', async () => {
    const ask = async () => Promise.reject(new Error('asked'))
    expect(await hasTrayHost('win32', ask)).toBe(true)
    expect(await hasTrayHost('darwin', ask)).toBe(true)
  })

  test('is asked for on Linux, with whatever program there is', async () => {
    const asked: string[] = []
    const answers: Record<string, string> = { gdbus: '(<true>,)\n', 'dbus-send': '   variant       boolean false\n' }
    const ask = async (program: string) => {
      asked.push(program)
      if (answers[program] === undefined) throw missing
      return answers[program]
    }
    expect(await hasTrayHost('linux', ask)).toBe(true)
    delete answers.gdbus
    expect(await hasTrayHost('linux', ask)).toBe(false)
    delete answers['dbus-send']
    expect(await hasTrayHost('linux', ask)).toBe(false)
    expect(asked).toEqual(['busctl', 'gdbus', 'busctl', 'gdbus', 'dbus-send', 'busctl', 'gdbus', 'dbus-send'])
  })

  test('is not there where the bus knows of none', async () => {
    const ask = async () => Promise.reject(Object.assign(new Error('no such name'), { code: 1 }))
    expect(await hasTrayHost('linux', ask)).toBe(false)
  })
})
