/** Marks of origin: what a program is told of many files, and how seldom it is started. */
import { chmod, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { delimiter, join } from 'node:path'
import { expect, it, onTestFinished, vi } from 'vitest'
import { OriginMarks } from '../../electron/engine/origin-marks.ts'

/** A program of this name that writes down how it was called and what it read, and fails. */
async function standIn(name: string): Promise<() => Promise<string[]>> {
  const folder = await mkdtemp(join(tmpdir(), 'nighthaul-marks-'))
  onTestFinished(() => rm(folder, { recursive: true }))
  const log = join(folder, 'calls')
  await writeFile(log, '')
  const program = join(folder, name)
  await writeFile(program, `#!/bin/sh\nprintf '%s\\0' "$* $(cat)" >> '${log}'\nexit 1\n`)
  await chmod(program, 0o755)
  vi.stubEnv('PATH', [folder, process.env.PATH].join(delimiter))
  onTestFinished(() => void vi.unstubAllEnvs())
  return async () => (await readFile(log, 'utf8')).split('\0').slice(0, -1)
}

const base64 = (text: string) => Buffer.from(text).toString('base64')

it.skipIf(process.platform === 'win32')(
  'hundreds of files at once are marked by a few processes, each file once',
  async () => {
    const calls = await standIn('setfattr')
    const marks = new OriginMarks('linux')
    const count = 600
    const paths = Array.from({ length: count }, (_, n) => `/downloads/${n}.bin`)
    await Promise.all(paths.map((path) => marks.mark({ path, url: `http://host${path}`, referrer: null })))
    const told = await calls()
    expect(told.length).toBeLessThanOrEqual(4)
    const files = told.flatMap((call) => [...call.matchAll(/# file: (.*)/g)].map(([, path]) => path))
    expect(files.sort()).toEqual(paths.sort())
    // The next finds it idle again.
    await marks.mark({ path: '/downloads/last', url: 'http://host/last', referrer: null })
    expect(await calls()).toHaveLength(told.length + 1)
  },
)

it.skipIf(process.platform === 'win32')('setfattr reads names and values whole, whatever is in them', async () => {
  const calls = await standIn('setfattr')
  const url = 'https://host/a"b\\c?d=é'
  await new OriginMarks('linux').mark({ path: '/downloads/a\nb\\ é.bin', url, referrer: 'https://host/from' })
  expect(await calls()).toEqual([
    `--restore=- # file: /downloads/a\\012b\\134 é.bin\nuser.xdg.origin.url=0s${base64(url)}\nuser.xdg.referrer.url=0s${base64('https://host/from')}`,
  ])
})

it.skipIf(process.platform === 'win32')('xattr is given all paths behind the one mark that they share', async () => {
  const calls = await standIn('xattr')
  const marks = new OriginMarks('darwin')
  const mark = (path: string) => marks.mark({ path, url: 'http://host/', referrer: null })
  await Promise.all([mark('/downloads/a'), mark('/downloads/b')])
  const told = await calls()
  expect(told.join('\n')).toMatch(/^-w com\.apple\.quarantine 0081;[0-9a-f]+;Nighthaul; \/downloads\/a/)
  expect(told.flatMap((call) => call.match(/\/downloads\/[ab]/g))).toEqual(['/downloads/a', '/downloads/b'])
})

it.skipIf(process.platform === 'win32')('without the program nothing is marked, and nothing fails', async () => {
  vi.stubEnv('PATH', tmpdir())
  onTestFinished(() => void vi.unstubAllEnvs())
  await new OriginMarks('linux').mark({ path: '/downloads/a', url: 'http://host/', referrer: null })
})
