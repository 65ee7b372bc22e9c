/** Notifications of the app lead to a page of its window, also where the window was closed. In the stand-in: Electron's
 *  notifications cannot be clicked by tests. */
import { chmod, mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, expect, test, vi } from 'vitest'
import { connectLocal } from '../../electron/rpc/local-server.ts'
import { launchApp, launcherName, type RunningApp } from '../helpers/app-launcher.ts'
import { keepScreenshot } from '../helpers/chromium.ts'
import { type FaultServer, startFaultServer } from '../helpers/fault-server.ts'
import { addLinks } from '../helpers/window.ts'

// Each test starts a browser and processes, on cores that other tests want too.
vi.setConfig({ testTimeout: 90_000, hookTimeout: 60_000 })

let home: string
let server: FaultServer
let app: RunningApp | undefined

beforeEach(async () => {
  home = await mkdtemp(join(tmpdir(), 'nighthaul-app-'))
  server = await startFaultServer()
})
afterEach(async (context) => {
  await keepScreenshot(context, app?.page)
  await app?.dispose()
  await server.close()
  await rm(home, { recursive: true, force: true })
})

type Notifications = { Notification: { all: { emit(event: 'click'): void }[] } }

test.skipIf(launcherName === 'Electron')(
  'a click on a notification opens the report, in the window or in a new one',
  async () => {
    // A desktop that shows icons in its tray, as far as the app asks for it.
    const desktop = join(home, 'bin')
    await mkdir(desktop)
    await writeFile(join(desktop, 'busctl'), '#!/bin/sh\necho "b true"\n')
    await chmod(join(desktop, 'busctl'), 0o755)
    const profile = join(home, 'profile')
    app = await launchApp({ profile, env: { PATH: `${desktop}:${process.env.PATH}` } })
    const { evaluate, page, nextWindow } = app
    await page.getByRole('grid', { name: 'Downloads' }).and(page.locator('[aria-busy=false]')).waitFor()
    const client = await connectLocal(profile)
    await client!.call('settings.set', { whenDone: [{ kind: 'notify' }] })
    // So that something is left when the window is closed.
    await client!.call('repeats.add', { url: server.url('/dump.gz'), when: 'daily 02:00' })
    client!.close()
    const click = () =>
      evaluate((electron) => (electron as unknown as Notifications).Notification.all[0]!.emit('click'))
    const shown = () => evaluate((electron) => (electron as unknown as Notifications).Notification.all.length)

    server.add('/film.bin', { size: 100_000, seed: 1 })
    await addLinks(page, [server.url('/film.bin')], join(home, 'files'))
    await vi.waitFor(async () => expect(await shown()).toBe(1), 20_000)
    await click()
    await page.getByRole('region', { name: /^Finished/ }).waitFor()

    await page.getByRole('button', { name: 'Statistics' }).click()
    await evaluate(({ BrowserWindow }) => BrowserWindow.getAllWindows()[0]!.close())
    const opening = nextWindow()
    await click()
    const again = await opening
    await again.getByRole('region', { name: /^Finished/ }).waitFor()
    // Once: what is loaded again begins with the list.
    await again.reload()
    await again.getByRole('grid', { name: 'Downloads' }).waitFor()
  },
)
