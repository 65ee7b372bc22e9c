/** The window in Chromium, over a real host: files are moved and located, and the settings say where they go. */
import { existsSync } from 'node:fs'
import { mkdir, rename } from 'node:fs/promises'
import { join } from 'node:path'
import { beforeEach, expect, test } from 'vitest'
import { contentSha256 } from '../helpers/bytes.ts'
import { complaintsOf } from '../helpers/chromium.ts'
import { faults } from '../helpers/fault-server.ts'
import { home, openWindow, page, server, useHost } from '../helpers/hosted-window.ts'
import { addLinks, row, sha256 } from '../helpers/window.ts'

const MIB = 1024 * 1024
const SIZE = 2 * MIB + 17

useHost()

beforeEach(() => server.add('/film.bin', { size: SIZE, seed: 1 }))

async function choose(name: string): Promise<void> {
  await row(page, 'film.bin').click({ button: 'right' })
  await page.getByRole('menuitem', { name }).click()
}

test('moves a file to another folder, and finds one again that was moved by hand', async () => {
  const complaints = complaintsOf(page)
  await home.run('get', server.url('/film.bin'))
  await openWindow()
  await row(page, 'film.bin', 'done').waitFor()
  await choose('Move to…')
  const move = page.getByRole('dialog', { name: 'Move film.bin' })
  const shelf = join(home.files, 'shelf')
  expect(await move.getByLabel('Folder').inputValue()).toBe(home.files)
  expect(await move.getByRole('button', { name: 'Move', exact: true }).isDisabled()).toBe(true)
  await move.getByLabel('Folder').fill(`${shelf}/`)
  await move.getByRole('button', { name: 'Move', exact: true }).click()
  await page.getByText('1 download is there now').first().waitFor()
  expect(await sha256(join(shelf, 'film.bin'))).toBe(contentSha256(1, SIZE))
  expect(existsSync(join(home.files, 'film.bin'))).toBe(false)

  await choose('Locate file…')
  const locate = page.getByRole('dialog', { name: 'Where is film.bin now?' })
  await locate.getByLabel('File, or its folder').fill(join(home.files, 'nowhere', 'film.bin'))
  await locate.getByRole('button', { name: 'It is there' }).click()
  await page.locator('.toast[data-kind=error]').waitFor()
  const drawer = join(home.files, 'drawer')
  await mkdir(drawer)
  await rename(join(shelf, 'film.bin'), join(drawer, 'film.bin'))
  await choose('Locate file…')
  await locate.getByLabel('File, or its folder').fill(drawer)
  await locate.getByRole('button', { name: 'It is there' }).click()
  await expect
    .poll(async () => JSON.parse((await home.run('show', '1', '--json')).stdout).path, { timeout: 20_000 })
    .toBe(join(drawer, 'film.bin'))
  expect(complaints).toEqual([])
})

test('the settings say where unfinished files lie and how much of the disk stays free', async () => {
  const complaints = complaintsOf(page)
  await openWindow()
  await page.getByRole('button', { name: 'Settings' }).click()
  const settings = page.getByRole('dialog', { name: 'Settings' })
  const folder = settings.getByLabel('Folder for unfinished files')
  expect(await settings.getByLabel('Leave free on the disk').inputValue()).toBe('16')
  await folder.fill('unfinished')
  await settings.getByText('Write the whole path').waitFor()
  expect(await settings.getByRole('button', { name: 'Save' }).isDisabled()).toBe(true)
  const unfinished = join(home.files, 'unfinished')
  await folder.fill(unfinished)
  await settings.getByLabel('Leave free on the disk').fill('20')
  await settings.getByRole('button', { name: 'Save' }).click()
  await settings.waitFor({ state: 'hidden' })

  server.fault('/film.bin', () => faults.stallBeyond(MIB))
  await addLinks(page, [server.url('/film.bin')], home.files)
  await row(page, 'film.bin', 'active').waitFor()
  await expect
    .poll(async () => JSON.parse((await home.run('show', '1', '--json')).stdout).partPath, { timeout: 20_000 })
    .toMatch(new RegExp(`^${unfinished}/film\\.bin`))
  await page.getByRole('button', { name: 'Settings' }).click()
  expect(await folder.inputValue()).toBe(unfinished)
  expect(await settings.getByLabel('Leave free on the disk').inputValue()).toBe('20')
  expect(complaints).toEqual([])
})
