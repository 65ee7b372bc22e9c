/** Mirrors, Metalinks and new links for old downloads, in the built window. */
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { contentSha256 } from '../helpers/bytes.ts'
import { complaintsOf } from '../helpers/chromium.ts'
import { faults } from '../helpers/fault-server.ts'
import { home, openWindow, page, server, useHost } from '../helpers/hosted-window.ts'
import { addLinks, row, sha256, untilUnderWay } from '../helpers/window.ts'

const SIZE = 2 * 1024 * 1024 + 5

useHost()

test('a link with mirrors and a Metalink file are added, a link that expired is replaced', async () => {
  const complaints = complaintsOf(page)
  for (const path of ['/gone/film.bin', '/expired/show.bin']) server.fault(path, () => faults.status(404))
  for (const path of ['/good/film.bin', '/good/song.bin', '/good/show.bin', '/expired/show.bin'])
    server.add(path, { size: SIZE, seed: 1 })
  server.fault('/expired/show.bin', (_request, index) =>
    index === 0 ? faults.stallAt(1024 * 1024) : faults.status(404),
  )
  await openWindow()

  await page.getByRole('button', { name: 'Add', exact: true }).click()
  const dialog = page.getByRole('dialog', { name: 'Add downloads' })
  const submit = dialog.locator('button[type=submit]')
  await dialog.getByLabel('Links').fill(server.url('/gone/film.bin'))
  await dialog.getByLabel('Mirrors').fill('nonsense')
  await dialog.getByText('Line 1: not a link', { exact: false }).waitFor()
  await dialog.getByLabel('Mirrors').fill(server.url('/good/film.bin'))
  await dialog.getByRole('textbox', { name: 'Folder' }).fill(home.files)
  await submit.click()
  await dialog.waitFor({ state: 'hidden' })
  await row(page, 'film.bin', 'done').waitFor()
  expect(await sha256(join(home.files, 'film.bin'))).toBe(contentSha256(1, SIZE))
  await row(page, 'film.bin').dblclick()
  const details = page.locator('section.detail')
  await details.locator('[data-mirror=failed]', { hasText: '/gone/film.bin' }).waitFor()
  await details.locator('[data-mirror=active]', { hasText: '/good/film.bin' }).waitFor()
  await details.getByText('From the mirror', { exact: false }).waitFor()
  await page.getByRole('button', { name: 'Close details' }).click()

  await page.getByRole('button', { name: 'Add', exact: true }).click()
  const document = (inner: string) =>
    Buffer.from(`<metalink xmlns="urn:ietf:params:xml:ns:metalink"><file name="song.bin">${inner}</file></metalink>`)
  const choose = (name: string, inner: string) =>
    dialog
      .locator('input[type=file]')
      .setInputFiles({ name, mimeType: 'application/metalink4+xml', buffer: document(inner) })
  await choose('bad.meta4', '<size>many</size>')
  await dialog.getByText('bad.meta4, line 1: the size “many” is no whole number', { exact: false }).waitFor()
  await dialog.getByRole('button', { name: 'Leave bad.meta4 out' }).click()
  await choose('song.meta4', `<size>${SIZE}</size><url>${server.url('/good/song.bin')}</url>`)
  await dialog.getByText('song.meta4: 1 file').waitFor()
  await submit.click()
  await dialog.waitFor({ state: 'hidden' })
  await row(page, 'song.bin', 'done').waitFor()

  await addLinks(page, [server.url('/expired/show.bin')], home.files)
  await untilUnderWay(page, 'show.bin')
  server.disconnect()
  await row(page, 'show.bin', 'waiting').waitFor()
  await row(page, 'show.bin').click({ button: 'right' })
  await page.getByRole('menuitem', { name: 'Refresh link…' }).click()
  const refresh = page.getByRole('dialog', { name: 'New link for “show.bin”' })
  await refresh.getByLabel('New link').fill(server.url('/good/show.bin'))
  await refresh.getByRole('button', { name: 'Use this link' }).click()
  await refresh.waitFor({ state: 'hidden' })
  await row(page, 'show.bin', 'done').waitFor()
  expect(await sha256(join(home.files, 'show.bin'))).toBe(contentSha256(1, SIZE))
  expect(server.requests.at(-1)?.headers.range).not.toBe('bytes=0-')
  expect(complaints).toEqual([])
})
