/** The report of the night and the profiles in Chromium, over a real host with real downloads. */
import { readFile } from 'node:fs/promises'
import { expect, test } from 'vitest'
import { connectLocal } from '../../electron/rpc/local-server.ts'
import { complaintsOf } from '../helpers/chromium.ts'
import { jsonLines } from '../helpers/cli.ts'
import { faults } from '../helpers/fault-server.ts'
import { home, openWindow, page, server, useHost } from '../helpers/hosted-window.ts'
import { addLinks, row } from '../helpers/window.ts'

useHost()

const figure = (name: string) => page.locator('.stats-figures > div', { hasText: name }).locator('dd').first()

test('the report tells what came and what did not, leads to a download, and is saved as a page', async () => {
  const complaints = complaintsOf(page)
  server.add('/film.bin', { size: 300_000, seed: 1 })
  server.fault('/gone.bin', () => faults.status(404))
  const { url } = JSON.parse(await home.start('serve', '--port', '0').firstLine) as { url: string }
  const client = await connectLocal(home.profile)
  await client!.call('settings.set', { secondChances: 0 })
  client!.close()
  await page.goto(url)
  await page.getByRole('grid', { name: 'Downloads' }).waitFor()
  await addLinks(page, [server.url('/film.bin'), server.url('/gone.bin')], home.files)
  await row(page, 'film.bin', 'done').waitFor()
  await row(page, 'gone.bin', 'failed').waitFor()

  await page.getByRole('button', { name: 'Report' }).click()
  await page.getByRole('heading', { name: 'Report' }).waitFor()
  await expect.poll(() => figure('Finished').textContent()).toBe('1')
  expect(await figure('Failed').textContent()).toBe('1')
  const failed = page.getByRole('region', { name: /^Failed/ })
  await failed.getByText('The file is not there (404)').waitFor()
  await failed.getByText(/has no such file.*link/).waitFor()
  await page
    .getByRole('region', { name: /^Finished/ })
    .getByText('film.bin')
    .waitFor()

  const saving = page.waitForEvent('download')
  await page.getByRole('button', { name: 'Save as a page' }).click()
  const saved = await saving
  expect(saved.suggestedFilename()).toMatch(/^nighthaul-night-\d{4}-\d\d-\d\d\.html$/)
  expect(await readFile(await saved.path(), 'utf8')).toContain('film.bin')

  await failed.getByRole('button', { name: 'gone.bin' }).click()
  await page.getByRole('region', { name: 'Details of gone.bin' }).waitFor()
  expect(complaints).toEqual([])
})

test('a profile is chosen by hand and given up again, and what it allows is set', async () => {
  const complaints = complaintsOf(page)
  await openWindow()
  await page.getByRole('button', { name: 'Profile: Full' }).click()
  await page.getByRole('menuitemradio', { name: 'Calls' }).click()
  await page.getByRole('button', { name: 'Profile: Calls' }).click()
  await page.getByText('Chosen by hand').waitFor()
  await page.getByRole('menuitem', { name: 'Edit profiles…' }).click()
  const dialog = page.getByRole('dialog', { name: 'Profiles' })
  await dialog.getByLabel('Limit in MB/s').fill('0.5')
  const week = dialog.getByRole('grid', { name: 'When “Calls” holds' })
  await week.focus()
  await page.keyboard.press('Shift+PageDown')
  await page.keyboard.press('Space')
  expect(await dialog.getByLabel('When it holds', { exact: true }).inputValue()).toBe('Mon 00:00-06:30')
  await dialog.getByRole('button', { name: 'Save' }).click()
  await dialog.waitFor({ state: 'hidden' })
  await page.getByRole('button', { name: 'Profile: Calls' }).click()
  await page.getByRole('menuitemradio', { name: /Calls.*500 kB\/s/ }).waitFor()
  // For a while, which the toolbar says; and without a limit, whatever the settings say.
  await page.getByRole('menuitem', { name: 'Hold “Calls”' }).click()
  await page.getByRole('menuitem', { name: 'For 2 hours' }).click()
  await page.getByRole('button', { name: /^Profile: Calls until .*\d\d:\d\d$/ }).click()
  await page.getByText(/^Chosen by hand until .*\d\d:\d\d$/).waitFor()
  await page.getByRole('menuitem', { name: 'Edit profiles…' }).click()
  await dialog.getByLabel('Speed limit').selectOption('No limit')
  await dialog.getByRole('button', { name: 'Save' }).click()
  await dialog.waitFor({ state: 'hidden' })
  await page.getByRole('button', { name: 'Profile: Calls' }).click()
  await page.getByRole('menuitemradio', { name: /Calls.*No limit/ }).waitFor()
  const [view] = jsonLines((await home.run('schedule', 'profile', '--json')).stdout)
  expect(view).toMatchObject({ effective: { limitBytesPerSecond: null }, current: { name: 'calls', by: 'hand' } })
  await page.getByRole('menuitem', { name: /Back to the schedule/ }).click()
  await page.getByRole('button', { name: /Profile: (Full|Calls)$/ }).waitFor()
  expect(complaints).toEqual([])
})
