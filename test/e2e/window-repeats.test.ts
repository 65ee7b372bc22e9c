/** Repeating downloads in the built window over a real host: made, run, changed, paused and removed. */
import { existsSync } from 'node:fs'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { complaintsOf } from '../helpers/chromium.ts'
import { jsonLines } from '../helpers/cli.ts'
import { home, openWindow, page, server, useHost } from '../helpers/hosted-window.ts'
import { row } from '../helpers/window.ts'

useHost()

const repeats = async () => jsonLines((await home.run('schedule', 'repeat', '--json')).stdout)
const item = (name: string) => page.locator('.repeat', { hasText: name })

test('a repeating download is made on the page of the night, runs, says how that went, is changed, paused and removed', async () => {
  const complaints = complaintsOf(page)
  server.add('/dump.bin', { size: 5000, seed: 1 })
  await home.run('queue', 'add', 'Nights')
  await openWindow()
  await page.getByRole('button', { name: 'Tonight' }).click()
  await page.getByText('None yet. A link can be downloaded again every night').waitFor()
  await page.getByRole('button', { name: 'Repeat a link…' }).click()
  const dialog = page.getByRole('dialog', { name: 'Repeat a download' })
  const submit = dialog.locator('button[type=submit]')
  await submit.click()
  await dialog.getByText('Not a link').waitFor()
  await dialog.getByLabel('Link').fill(server.url('/dump.bin'))
  await dialog.getByLabel('When', { exact: true }).fill('sometimes')
  await dialog.getByText('“sometimes” cannot be read').or(dialog.getByText('“sometimes” names no days')).waitFor()
  expect(await submit.isDisabled()).toBe(true)
  await dialog.getByLabel('When', { exact: true }).fill('Mon-Sun 3:30')
  await dialog.getByLabel('Name of the files').fill('{name}-{m}{ext}')
  await dialog.getByText('Only {name}').waitFor()
  await dialog.getByLabel('Name of the files').fill('{name}-{n}{ext}')
  await dialog.getByLabel('Keep the last').fill('2')
  await dialog.getByLabel('Queue').selectOption('Nights')
  await dialog.getByRole('textbox', { name: 'Folder' }).fill(home.files)
  await submit.click()
  await dialog.waitFor({ state: 'hidden' })
  await item('dump.bin')
    .getByText(/^daily 03:30 · next .*03:30$/)
    .waitFor()
  await item('dump.bin').getByText('Did not run yet').waitFor()
  const nights = (jsonLines((await home.run('queue', 'list', '--json')).stdout) as { id: number; name: string }[]).find(
    ({ name }) => name === 'Nights',
  )
  expect(await repeats()).toMatchObject([
    { when: 'daily 03:30', keepLast: 2, queueId: nights?.id, nameTemplate: '{name}-{n}{ext}', folder: home.files },
  ])

  await page.getByRole('button', { name: 'Run dump.bin now' }).click()
  await item('dump.bin')
    .getByText(/^Last .*: downloaded$/)
    .waitFor()
  expect(existsSync(join(home.files, 'dump-1.bin'))).toBe(true)
  await page.getByRole('button', { name: 'Run dump.bin now' }).click()
  await item('dump.bin')
    .getByText(/^Last .*: not changed on the server$/)
    .waitFor()
  expect(existsSync(join(home.files, 'dump-2.bin'))).toBe(false)

  await page.getByRole('button', { name: 'Pause dump.bin' }).click()
  await item('dump.bin').getByText('daily 03:30 · paused').waitFor()
  await page.getByRole('button', { name: 'Edit dump.bin' }).click()
  const editing = page.getByRole('dialog', { name: 'Repeating download' })
  await editing.getByLabel('Keep the last').fill('')
  await editing.getByLabel('When', { exact: true }).fill('Sat 12:00')
  await editing.getByLabel('Paused: it does not run').uncheck()
  await editing.getByRole('button', { name: 'Save' }).click()
  await editing.waitFor({ state: 'hidden' })
  await item('dump.bin')
    .getByText(/^Sat 12:00 · next /)
    .waitFor()
  expect(await repeats()).toMatchObject([{ when: 'Sat 12:00', keepLast: null, paused: false }])

  await page.getByRole('button', { name: 'Remove dump.bin' }).click()
  const asked = page.getByRole('dialog', { name: 'No longer repeat “dump.bin”?' })
  await asked.getByRole('button', { name: 'Remove', exact: true }).click()
  await page.getByText('None yet. A link can be downloaded again every night').waitFor()
  expect(existsSync(join(home.files, 'dump-1.bin'))).toBe(true)
  expect(complaints).toEqual([])
})

test('a link that is being added is repeated every night instead, with the login typed for it', async () => {
  const complaints = complaintsOf(page)
  server.add('/private.bin', { size: 5000, seed: 1 })
  await openWindow()
  await page.getByRole('button', { name: 'Add', exact: true }).click()
  const adding = page.getByRole('dialog', { name: 'Add downloads' })
  await adding.getByLabel('Links').fill(`${server.url('/private.bin')}\n${server.url('/other.bin')}`)
  expect(await adding.getByRole('button', { name: 'Every night…' }).count()).toBe(0)
  await adding.getByLabel('Links').fill(server.url('/private.bin'))
  await adding.getByRole('textbox', { name: 'Folder' }).fill(home.files)
  await adding.getByText('Login', { exact: true }).click()
  await adding.getByLabel('Name', { exact: true }).fill('ann')
  await adding.getByLabel('Password').fill('secret')
  await adding.getByRole('button', { name: 'Every night…' }).click()
  const dialog = page.getByRole('dialog', { name: 'Repeat a download' })
  expect(await dialog.getByLabel('Link').inputValue()).toBe(server.url('/private.bin'))
  await dialog.getByText('With the connections and the login').waitFor()
  await dialog.getByRole('button', { name: 'Repeat it' }).click()
  await dialog.waitFor({ state: 'hidden' })
  expect(await repeats()).toMatchObject([{ url: server.url('/private.bin'), options: { user: 'ann' }, runs: 0 }])
  // What was typed is used up.
  await page.getByRole('button', { name: 'Add', exact: true }).click()
  expect(await adding.getByLabel('Links').inputValue()).toBe('')
  await page.keyboard.press('Escape')

  // A run's download leads to its details.
  await home.run('queue', 'stop', 'Default')
  await page.getByRole('button', { name: 'Tonight' }).click()
  await page.getByRole('button', { name: 'Run private.bin now' }).click()
  await page.getByRole('button', { name: 'Show the download of private.bin' }).click()
  await page.getByRole('region', { name: /^Details of private/ }).waitFor()
  await row(page, 'private', 'queued').waitFor()
  expect(complaints).toEqual([])
})
