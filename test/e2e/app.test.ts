/** The app: the built main process, preload and window together, in Electron or in the stand-in. */
import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest'
import { isQueueOwned } from '../../electron/profile.ts'
import { connectLocal } from '../../electron/rpc/local-server.ts'
import type { SettingsPatch } from '../../shared/schemas.ts'
import { type AppOptions, launchApp, launcherName, type RunningApp } from '../helpers/app-launcher.ts'
import { contentSha256 } from '../helpers/bytes.ts'
import { complaintsOf, keepScreenshot } from '../helpers/chromium.ts'
import { type FaultServer, faults, startFaultServer } from '../helpers/fault-server.ts'
import { startHttpProxy } from '../helpers/proxies.ts'
import { act, addLinks, dismissToast, row, sha256, untilUnderWay } from '../helpers/window.ts'

const MIB = 1024 * 1024
const SIZE = 6 * MIB + 123

// Each test starts a browser and processes, on cores that other tests want too.
vi.setConfig({ testTimeout: 90_000, hookTimeout: 60_000 })

let home: string
let files: string
let server: FaultServer
const running: RunningApp[] = []

beforeEach(async () => {
  home = await mkdtemp(join(tmpdir(), 'nighthaul-app-'))
  files = await mkdtemp(join(home, 'files-'))
  server = await startFaultServer()
})
afterEach(async (context) => {
  await keepScreenshot(context, running.at(-1)?.page)
  for (const app of running.splice(0)) await app.dispose()
  await server.close()
  await rm(home, { recursive: true, force: true })
})

async function start(options: Partial<AppOptions> = {}): Promise<RunningApp> {
  const app = await launchApp({ profile: join(home, 'profile'), ...options })
  running.push(app)
  await app.page.getByRole('grid', { name: 'Downloads' }).and(app.page.locator('[aria-busy=false]')).waitFor()
  return app
}

const quit = (app: RunningApp) => app.evaluate(({ app: electron }) => void setTimeout(() => electron.quit()))

describe(`the app in ${launcherName === 'Electron' ? 'Electron' : 'the stand-in for Electron'}`, () => {
  test('opens a locked-down window from app:// that breaks no rule of its own policy', async () => {
    const app = await start()
    const complaints = complaintsOf(app.page)
    await app.page.reload()
    await app.page.getByRole('grid', { name: 'Downloads' }).waitFor()
    expect(complaints).toEqual([])

    const preferences = await app.evaluate(({ BrowserWindow }) => {
      const contents = BrowserWindow.getAllWindows()[0]!.webContents
      return (contents as unknown as { getLastWebPreferences(): Record<string, unknown> }).getLastWebPreferences()
    })
    expect(preferences).toMatchObject({
      sandbox: true,
      contextIsolation: true,
      nodeIntegration: false,
      webSecurity: true,
    })

    const seen = await app.page.evaluate(async () => ({
      require: typeof (window as unknown as Record<string, unknown>).require,
      process: typeof (window as unknown as Record<string, unknown>).process,
      shell: Object.keys((window as unknown as { nighthaul: object }).nighthaul).sort(),
      outside: (await fetch('/%2e%2e/%2e%2e/package.json')).status,
      policy: (await fetch('/index.html')).headers.get('content-security-policy'),
    }))
    expect(seen).toMatchObject({
      require: 'undefined',
      process: 'undefined',
      shell: ['chooseFolder', 'onPageWanted', 'openFile', 'platform', 'requestPort', 'showInFolder'],
      outside: 404,
    })
    expect(seen.policy).toContain("default-src 'none'")
  })

  test('keeps the machine awake while downloads run where that is allowed, waits on battery, and says when all is done', async () => {
    const app = await start()
    const held = () =>
      app.evaluate(({ powerSaveBlocker }) => (powerSaveBlocker as unknown as { held(): string[] }).held())
    const set = async (patch: SettingsPatch) => {
      const client = await connectLocal(join(home, 'profile'))
      await client!.call('settings.set', patch)
      client!.close()
    }
    await set({
      inhibitSleep: true,
      onBattery: 'pause',
      countdownSeconds: 3600,
      whenDone: [{ kind: 'notify' }, { kind: 'quit' }],
    })
    expect(await held()).toEqual([])
    server.add('/film.bin', { size: SIZE, seed: 1 })
    server.fault('/film.bin', (_request, index) => (index === 0 ? faults.stallAt(2 * MIB) : null))
    await addLinks(app.page, [server.url('/film.bin')], files)
    await untilUnderWay(app.page, 'film.bin')
    await vi.waitFor(async () => expect(await held()).toEqual(['prevent-app-suspension']), 10_000)
    await app.evaluate(({ powerMonitor }) => void powerMonitor.emit('on-battery' as never))
    await row(app.page, 'film.bin', 'queued').waitFor()
    await vi.waitFor(async () => expect(await held()).toEqual([]), 10_000)
    await app.evaluate(({ powerMonitor }) => void powerMonitor.emit('on-ac' as never))
    await row(app.page, 'film.bin', 'done').waitFor()
    await app.page.getByRole('alert').filter({ hasText: 'Nighthaul quits in' }).waitFor()
    const shown = await app.evaluate(({ Notification }) => (Notification as unknown as { shown: unknown[] }).shown)
    expect(shown).toMatchObject([{ title: 'All downloads are done', body: expect.stringContaining('1 finished') }])
    await app.page.getByRole('button', { name: 'Call it off' }).click()
    await app.page.getByText('Nighthaul quits in').waitFor({ state: 'hidden' })
  })

  test('stays in the tray when its window is closed with downloads left, says so once, and quits where that is wanted', async () => {
    // A desktop that shows icons in its tray, as far as the app asks for it.
    const desktop = join(home, 'bin')
    await mkdir(desktop)
    await writeFile(join(desktop, 'busctl'), '#!/bin/sh\necho "b true"\n', { mode: 0o755 })
    const app = await start({ env: { PATH: `${desktop}:${process.env.PATH}` } })
    const shown = () =>
      app.evaluate(({ Notification }) => (Notification as unknown as { shown: { title: string }[] }).shown)
    const close = () => app.evaluate(({ BrowserWindow }) => BrowserWindow.getAllWindows()[0]!.close())
    server.add('/film.bin', { size: SIZE, seed: 1 })
    server.fault('/film.bin', (_request, index) => (index === 0 ? faults.stallAt(2 * MIB) : null))
    await addLinks(app.page, [server.url('/film.bin')], files)
    await untilUnderWay(app.page, 'film.bin')
    await close()
    await vi.waitFor(async () => expect(await shown()).toHaveLength(1), 10_000)
    expect(await shown()).toMatchObject([{ title: 'Nighthaul goes on in the tray' }])
    expect(isQueueOwned(join(home, 'profile'))).toBe(true)

    // What has no window goes on, and comes back with one.
    const opening = app.nextWindow()
    await app.evaluate(({ app: electron }) => void electron.emit('activate'))
    const page = await opening
    await row(page, 'film.bin', 'done').waitFor()
    expect(await sha256(join(files, 'film.bin'))).toBe(contentSha256(1, SIZE))
    await page.getByRole('button', { name: 'Settings' }).click()
    const dialog = page.getByRole('dialog', { name: 'Settings' })
    await dialog.getByLabel('When the window is closed').selectOption('Quit')
    await dialog.getByRole('button', { name: 'Save' }).click()
    await dialog.waitFor({ state: 'hidden' })
    server.fault('/film.bin', () => faults.stallBeyond(2 * MIB))
    server.add('/other.bin', { size: SIZE, seed: 2 })
    server.fault('/other.bin', () => faults.stallBeyond(MIB))
    await addLinks(page, [server.url('/other.bin')], files)
    await row(page, 'other.bin', 'active').waitFor()
    await close().catch((error: unknown) => {
      // It may be gone before it answers.
      if (!/closed|ended|disconnected/i.test(String(error))) throw error
    })
    expect(await app.exited).toBe(0)
  })

  // Elsewhere every desktop has a tray.
  test.skipIf(process.platform !== 'linux')('quits with its last window where no tray can be seen', async () => {
    const desktop = join(home, 'bin')
    await mkdir(desktop)
    await writeFile(join(desktop, 'busctl'), '#!/bin/sh\nexit 1\n', { mode: 0o755 })
    const app = await start({ env: { PATH: `${desktop}:${process.env.PATH}` } })
    server.add('/film.bin', { size: SIZE, seed: 1 })
    server.fault('/film.bin', () => faults.stallBeyond(2 * MIB))
    await addLinks(app.page, [server.url('/film.bin')], files)
    await row(app.page, 'film.bin', 'active').waitFor()
    await app.page.close()
    expect(await app.exited).toBe(0)
  })

  test('refuses inline code, other hosts, new windows and leaving the app', async () => {
    const app = await start()
    const complaints = complaintsOf(app.page)
    server.add('/elsewhere', { size: 10, seed: 1 })
    const url = app.page.url()
    const outcome = await app.page.evaluate(async (foreign) => {
      const script = document.createElement('script')
      try {
        script.textContent = 'window.injected = true'
        document.body.append(script)
      } catch {
        // trusted types may refuse the text itself
      }
      const fetched = await fetch(foreign).then(
        () => 'fetched',
        () => 'refused',
      )
      return { injected: 'injected' in window, fetched }
    }, server.url('/elsewhere'))
    expect(outcome).toEqual({ injected: false, fetched: 'refused' })
    expect(complaints.length).toBeGreaterThan(0)
    await app.page.evaluate((foreign) => location.assign(foreign), server.url('/elsewhere'))
    await app.page.getByRole('grid', { name: 'Downloads' }).waitFor()
    expect(app.page.url()).toBe(url)
    expect(server.requests).toEqual([])
  })

  test('downloads a file, paused and resumed on the way', async () => {
    const app = await start()
    server.add('/film.bin', { size: SIZE, seed: 3 })
    server.fault('/film.bin', () => faults.stallBeyond(MIB))
    await addLinks(app.page, [server.url('/film.bin')], files)
    await untilUnderWay(app.page, 'film.bin')
    await act(app.page, 'film.bin', 'Pause')
    await row(app.page, 'film.bin', 'paused').waitFor()
    server.fault('/film.bin', null)
    await act(app.page, 'film.bin', 'Resume')
    await row(app.page, 'film.bin', 'done').waitFor()
    expect(await sha256(join(files, 'film.bin'))).toBe(contentSha256(3, SIZE))
  })

  // Of Electron itself nobody can ask for its trays.
  test.skipIf(launcherName === 'Electron')('the tray says which profile holds, and pauses everything', async () => {
    const app = await start()
    server.add('/night.bin', { size: SIZE, seed: 3 })
    server.fault('/night.bin', () => faults.stallBeyond(MIB))
    await addLinks(app.page, [server.url('/night.bin')], files)
    await untilUnderWay(app.page, 'night.bin')
    type Item = { label?: string; checked?: boolean; click?: () => void }
    type Trays = { Tray: { all: { menu: Item[]; toolTip: string }[] } }
    const checked = () =>
      app.evaluate((electron) => {
        const [tray] = (electron as unknown as Trays).Tray.all
        return tray!.menu.find((item) => item.checked)?.label
      })
    await expect.poll(checked).toBe('As scheduled (now Full)')
    await app.evaluate((electron) => {
      const [tray] = (electron as unknown as Trays).Tray.all
      for (const label of ['Calls', 'Pause all']) tray!.menu.find((item) => item.label === label)!.click!()
    })
    await expect.poll(checked).toBe('Calls')
    await row(app.page, 'night.bin', 'paused').waitFor()
  })

  test('opens finished files alone, asks before programs, and never takes a path from the window', async () => {
    const app = await start()
    server.add('/text.txt', { size: 1000, seed: 4 })
    server.add('/setup.exe', { size: 1000, seed: 5 })
    server.add('/slow.txt', { size: MIB, seed: 6 })
    server.fault('/slow.txt', () => faults.stallBeyond(1000))
    await addLinks(app.page, ['/text.txt', '/setup.exe', '/slow.txt'].map(server.url), files)
    await row(app.page, 'text.txt', 'done').waitFor()
    await row(app.page, 'setup.exe', 'done').waitFor()
    await app.evaluate(({ shell, dialog }) => {
      const seen: string[] = []
      Object.assign(globalThis, { seen })
      shell.openPath = async (path) => {
        seen.push(`open ${path}`)
        return ''
      }
      shell.showItemInFolder = (path) => void seen.push(`show ${path}`)
      dialog.showMessageBox = async () => {
        seen.push('asked')
        return { response: 0, checkboxChecked: false }
      }
    })
    const ask = (method: 'openFile' | 'showInFolder', id: unknown) =>
      app.page.evaluate(
        ([name, input]) =>
          (window as unknown as { nighthaul: Record<string, (input: unknown) => Promise<void>> }).nighthaul[
            name as string
          ]!(input).then(
            () => 'ok',
            (error: Error) => error.message,
          ),
        [method, id] as const,
      )
    const idOf = async (name: string) => Number((await row(app.page, name).getAttribute('id'))?.replace('task-', ''))

    expect(await ask('openFile', await idOf('text.txt'))).toBe('ok')
    expect(await ask('showInFolder', await idOf('text.txt'))).toBe('ok')
    expect(await ask('openFile', await idOf('setup.exe'))).toBe('ok')
    expect(await ask('openFile', await idOf('slow.txt'))).toMatch(/not finished/)
    expect(await ask('openFile', '/etc/passwd')).toMatch(/expected number/i)
    expect(await ask('openFile', 4711)).toMatch(/4711/)
    const seen = await app.evaluate(() => (globalThis as unknown as { seen: string[] }).seen)
    expect(seen).toEqual([`open ${join(files, 'text.txt')}`, `show ${join(files, 'text.txt')}`, 'asked'])
  })

  test('starts a killed engine again; the window comes back and the download goes on', async () => {
    const app = await start()
    server.add('/long.bin', { size: SIZE, seed: 7 })
    server.fault('/long.bin', () => faults.stallBeyond(MIB))
    await addLinks(app.page, [server.url('/long.bin')], files)
    await untilUnderWay(app.page, 'long.bin')
    server.fault('/long.bin', null)
    const killed = await app.evaluate(({ app: electron }) => {
      const isEngine = ({ serviceName, name }: { serviceName?: string; name?: string }) =>
        [serviceName, name].includes('Nighthaul engine')
      const { pid } = electron.getAppMetrics().find(isEngine)!
      process.kill(pid, 'SIGKILL')
      return pid
    })
    expect(killed).not.toBe(app.pid)
    await row(app.page, 'long.bin', 'done').waitFor()
    expect(await sha256(join(files, 'long.bin'))).toBe(contentSha256(7, SIZE))
  })

  test('drains before it quits, and continues from there at the next start', async () => {
    const app = await start()
    server.add('/night.bin', { size: SIZE, seed: 8 })
    server.fault('/night.bin', () => faults.stallBeyond(MIB))
    await addLinks(app.page, [server.url('/night.bin')], files)
    await untilUnderWay(app.page, 'night.bin')
    expect(isQueueOwned(join(home, 'profile'))).toBe(true)
    await quit(app)
    expect(await app.exited).toBe(0)
    expect(isQueueOwned(join(home, 'profile'))).toBe(false)

    const before = server.requests.length
    server.fault('/night.bin', null)
    const again = await start()
    await row(again.page, 'night.bin', 'done').waitFor()
    expect(await sha256(join(files, 'night.bin'))).toBe(contentSha256(8, SIZE))
    const asked = server.requests.slice(before)
    expect(asked.length).toBeGreaterThan(0)
    expect(asked.every(({ headers }) => headers.range !== undefined && !headers.range.startsWith('bytes=0-'))).toBe(
      true,
    )
  })

  test('goes through the system’s proxy, and drops idle connections when the machine wakes or the network comes back', async () => {
    await using proxy = await startHttpProxy()
    await using other = await startFaultServer()
    const app = await start({ env: { NIGHTHAUL_TEST_PROXY: proxy.host } })
    const fetched = async (from: FaultServer, name: string) => {
      from.add(`/${name}`, { size: 1000, seed: 11 })
      await addLinks(app.page, [from.url(`/${name}`)], files)
      await dismissToast(app.page)
      await row(app.page, name, 'done').waitFor()
    }
    await app.evaluate(({ session }) =>
      session.defaultSession.setProxy({
        proxyRules: process.env.NIGHTHAUL_TEST_PROXY ?? '',
        proxyBypassRules: '<-loopback>',
      }),
    )
    await fetched(server, 'one.bin')
    expect(proxy.asked).toEqual([`GET ${server.url('/one.bin')}`])

    await app.evaluate(({ session }) => session.defaultSession.setProxy({ mode: 'direct' }))
    for (const happens of ['wake', 'online']) {
      await fetched(other, `before-${happens}.bin`)
      expect(other.connections.open).toBe(1)
      if (happens === 'wake') await app.evaluate(({ powerMonitor }) => void powerMonitor.emit('resume'))
      else await app.page.evaluate(() => window.dispatchEvent(new Event('online')))
      await other.until(() => other.connections.open === 0)
    }
    expect(proxy.asked).toHaveLength(1)
  })

  test('takes a pasted cURL command as the request it is, says what it cannot do, and asks for a login', async () => {
    const app = await start()
    server.add('/export', { size: 1000, seed: 12, filename: 'table.csv' })
    await app.page.getByRole('button', { name: 'Add', exact: true }).click()
    const dialog = app.page.getByRole('dialog', { name: 'Add downloads' })
    const links = dialog.getByLabel('Links')
    await dialog.getByRole('textbox', { name: 'Folder' }).fill(files)
    await links.fill(`curl -k '${server.url('/export')}'`)
    await dialog.getByText('certificates are always checked').waitFor()
    expect(await dialog.locator('button[type=submit]').getAttribute('aria-disabled')).not.toBe('false')
    await links.fill(`curl '${server.url('/export')}' \\\n  -H 'X-Page: 1' \\\n  --data-raw 'from=2026&to=2027'`)
    await dialog.getByText(`cURL: POST to 127.0.0.1:${server.port}, with a body`).waitFor()
    await dialog.locator('button[type=submit]').click()
    await row(app.page, 'table.csv', 'done').waitFor()
    expect(server.requests).toHaveLength(1)
    expect(server.requests[0]).toMatchObject({ method: 'POST', body: 'from=2026&to=2027', headers: { 'x-page': '1' } })

    await dismissToast(app.page)
    server.add('/closed.bin', { size: 1000, seed: 13 })
    await app.page.getByRole('button', { name: 'Add', exact: true }).click()
    await links.fill(server.url('/closed.bin'))
    await dialog.getByText('Login', { exact: true }).click()
    await dialog.getByLabel('Name', { exact: true }).fill('me')
    await dialog.getByLabel('Password').fill('geheim')
    await dialog.locator('button[type=submit]').click()
    await row(app.page, 'closed.bin', 'done').waitFor()
    const basic = `Basic ${Buffer.from('me:geheim').toString('base64')}`
    expect(server.requests[1]!.headers.authorization).toBe(basic)
  })

  test('a second start on the same profile ends at once and leaves the first one working', async () => {
    const app = await start()
    await expect(launchApp({ profile: join(home, 'profile') })).rejects.toThrow()
    server.add('/after.bin', { size: 1000, seed: 9 })
    await addLinks(app.page, [server.url('/after.bin')], files)
    await row(app.page, 'after.bin', 'done').waitFor()
  })

  test('works with the engine in the main process', async () => {
    const app = await start({ env: { NIGHTHAUL_ENGINE: 'inproc' } })
    server.add('/inproc.bin', { size: SIZE, seed: 10 })
    await addLinks(app.page, [server.url('/inproc.bin')], files)
    await row(app.page, 'inproc.bin', 'done').waitFor()
    expect(await sha256(join(files, 'inproc.bin'))).toBe(contentSha256(10, SIZE))
    await quit(app)
    expect(await app.exited).toBe(0)
  })
})
