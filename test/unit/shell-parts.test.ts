/** Small parts of the Electron shell and of what it shares with the headless host: logs, window place, programs. */
import { chmod, mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { defaultDownloadFolder } from '../../electron/platform/download-folder.ts'
import { createFileLogger, withoutSecrets } from '../../electron/platform/logging.ts'
import { isProgram } from '../../electron/platform/programs.ts'
import { isReachable, readWindowState, writeWindowState } from '../../electron/platform/window-state.ts'

let folder: string
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'nighthaul-shell-'))
})
afterEach(() => rm(folder, { recursive: true, force: true }))

describe('the log', () => {
  test('holds no secret, however deep or in whatever form', () => {
    const hidden = withoutSecrets({
      url: 'https://ada:pw1@host.test/file?x=1',
      options: {
        password: 'pw2',
        cookies: 'pw3',
        headers: [
          ['Authorization', 'pw4'],
          ['Accept', '*/*'],
        ],
      },
      headers: { Cookie: 'pw5', 'Set-Cookie': ['pw6'], accept: '*/*' },
      err: Object.assign(new Error('proxy http://me:pw7@proxy.test failed'), { token: 'pw8' }),
      nothing: { password: null },
    })
    const text = JSON.stringify(hidden)
    expect(text).not.toMatch(/pw\d/)
    expect(text).toContain('host.test/file?x=1')
    expect(text).toContain('["Accept","*/*"]')
    expect(text).toContain('"password":null')
  })

  test('is a file of JSON lines that starts anew when it is full', async () => {
    const logger = createFileLogger(folder, 'engine', 600)
    for (let line = 0; line < 10; line++) logger.info({ line, password: 'secret' }, 'a line of the log')
    expect((await readdir(join(folder, 'logs'))).sort()).toEqual(['engine.1.log', 'engine.log'])
    for (const name of ['engine.1.log', 'engine.log']) {
      const text = await readFile(join(folder, 'logs', name), 'utf8')
      expect(text.length).toBeLessThanOrEqual(600)
      expect(text).not.toContain('secret')
      for (const line of text.trimEnd().split('\n'))
        expect(JSON.parse(line)).toMatchObject({ msg: 'a line of the log' })
    }
  })
})

describe('the window’s place', () => {
  const screen = { x: 0, y: 0, width: 1920, height: 1080 }

  test('is remembered while a screen can show it', () => {
    const path = join(folder, 'window.json')
    const state = { bounds: { x: 50, y: 60, width: 900, height: 700 }, maximized: true }
    writeWindowState(path, state)
    expect(readWindowState(path, [screen])).toEqual(state)
    expect(readWindowState(path, [{ ...screen, x: 5000 }])).toBeNull()
  })

  test.each(['', '{', '{}', '{"bounds":{"x":0,"y":0,"width":1,"height":1},"maximized":false}'])(
    'is the default one where the file says “%s”',
    async (text) => {
      await writeFile(join(folder, 'window.json'), text)
      expect(readWindowState(join(folder, 'window.json'), [screen])).toBeNull()
    },
  )

  test('counts as reachable only with its title bar on a screen', () => {
    const size = { width: 900, height: 700 }
    expect(isReachable({ x: 1700, y: 900, ...size }, [screen])).toBe(true)
    expect(isReachable({ x: 1850, y: 100, ...size }, [screen])).toBe(false)
    expect(isReachable({ x: 100, y: -400, ...size }, [screen])).toBe(false)
  })
})

describe('programs', () => {
  const file = async (name: string, content: string | Buffer, mode = 0o644) => {
    const path = join(folder, name)
    await writeFile(path, content)
    await chmod(path, mode)
    return path
  }

  test('are known by name, by mode and by their first bytes', async () => {
    expect(await isProgram(await file('Setup.EXE', ''))).toBe(true)
    expect(await isProgram(await file('notes.desktop', 'x'))).toBe(true)
    expect(await isProgram(await file('innocent.pdf', Buffer.from('7f454c4602', 'hex')))).toBe(true)
    expect(await isProgram(await file('readme.txt', '#!/bin/sh\n'))).toBe(true)
    expect(await isProgram(await file('film.mkv', 'film'))).toBe(false)
    expect(await isProgram(await file('empty', ''))).toBe(false)
  })

  test.skipIf(process.platform === 'win32')('are what may be executed', async () => {
    expect(await isProgram(await file('data', 'x', 0o755))).toBe(true)
  })
})

describe.runIf(process.platform === 'linux')('the download folder', () => {
  test('is the XDG one, otherwise Downloads in the home', async () => {
    expect(defaultDownloadFolder({ XDG_DOWNLOAD_DIR: '/data/in' }, '/h')).toBe('/data/in')
    expect(defaultDownloadFolder({ XDG_DOWNLOAD_DIR: '$HOME/in' }, '/h')).toBe('/h/in')
    expect(defaultDownloadFolder({ XDG_DOWNLOAD_DIR: 'in' }, '/h')).toBe('/h/Downloads')
    expect(defaultDownloadFolder({ XDG_CONFIG_HOME: folder }, '/h')).toBe('/h/Downloads')
    await writeFile(join(folder, 'user-dirs.dirs'), '# a comment\nXDG_DOWNLOAD_DIR="$HOME/Bajadas"\n')
    expect(defaultDownloadFolder({ XDG_CONFIG_HOME: folder }, '/h')).toBe('/h/Bajadas')
    await writeFile(join(folder, 'user-dirs.dirs'), 'XDG_DOWNLOAD_DIR="$HOME/"\n')
    expect(defaultDownloadFolder({ XDG_CONFIG_HOME: folder }, '/h')).toBe('/h/Downloads')
  })
})
