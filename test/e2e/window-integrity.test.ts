/** Checksums in the built window: pasted beside links, found by themselves, and what comes of a bad file. */
import { readdir } from 'node:fs/promises'
import type { Page } from 'playwright'
import { expect, test } from 'vitest'
import { contentSha256 } from '../helpers/bytes.ts'
import { complaintsOf } from '../helpers/chromium.ts'
import { faults } from '../helpers/fault-server.ts'
import { home, openWindow, page, server, useHost } from '../helpers/hosted-window.ts'
import { row } from '../helpers/window.ts'

const SIZE = 100_000

useHost()

test('pasted checksums go with the links of their names, and the details say by what a file was verified', async () => {
  const complaints = complaintsOf(page)
  const value = contentSha256(1, SIZE)
  const base64 = Buffer.from(value, 'hex').toString('base64')
  server.add('/film.bin', { size: SIZE, seed: 1 })
  server.add('/song.bin', { size: SIZE, seed: 1, headers: { 'repr-digest': `sha-256=:${base64}:` } })
  server.add('/plain.bin', { size: SIZE, seed: 1 })
  server.add('/bad.bin', { size: SIZE, seed: 2 })
  server.add('/odd.bin', { size: SIZE, seed: 1 })
  server.fault('/odd.bin', (_request, index) =>
    index === 0 ? faults.withHeaders({ 'content-md5': 'AAAAAAAAAAAAAAAAAAAAAA==' }) : null,
  )
  await openWindow()

  await page.getByRole('button', { name: 'Add', exact: true }).click()
  const dialog = page.getByRole('dialog', { name: 'Add downloads' })
  const links = ['film', 'song', 'plain', 'bad', 'odd'].map((name) => server.url(`/${name}.bin`))
  await dialog
    .getByLabel('Links')
    .fill([...links, `${value}  film.bin`, `${value} *bad.bin`, `${value}  other.bin`].join('\n'))
  await dialog.getByText('2 checksums go with the links of their names').waitFor()
  await dialog.getByText('5 links', { exact: true }).waitFor()
  await dialog.getByRole('textbox', { name: 'Folder' }).fill(home.files)
  await look(page, 'add')
  await dialog.locator('button[type=submit]').click()
  await dialog.waitFor({ state: 'hidden' })

  const details = page.locator('section.detail')
  const says = async (name: string, state: 'done' | 'failed', ...texts: string[]) => {
    await row(page, name, state).waitFor()
    await row(page, name).dblclick()
    for (const text of texts) await details.getByText(text, { exact: false }).first().waitFor()
    await look(page, name)
    await page.getByRole('button', { name: 'Close details' }).click()
  }
  await says('film.bin', 'done', 'sha-256: matches (given by hand)', value)
  await says('song.bin', 'done', 'sha-256: matches (sent by the server as Repr-Digest)', value)
  await says('plain.bin', 'done', 'Nothing to verify it by')
  await says(
    'bad.bin',
    'failed',
    'sha-256: does not match (given by hand)',
    contentSha256(2, SIZE),
    'What came before and was bad is kept as',
  )
  await says('odd.bin', 'done', 'Nothing to verify it by', 'What came before and was bad is kept as')
  expect((await readdir(home.files)).filter((name) => name.includes('bad'))).toEqual(['bad.bin.bad', 'odd.bin.bad'])
  expect(complaints).toEqual([])
})

/** Pictures in both themes for whoever wants to look: NIGHTHAUL_TEST_PICTURES names their folder. */
async function look(of: Page, name: string): Promise<void> {
  const folder = process.env.NIGHTHAUL_TEST_PICTURES
  if (!folder) return
  for (const colorScheme of ['light', 'dark'] as const) {
    await of.emulateMedia({ colorScheme })
    await of.screenshot({ path: `${folder}/${name}-${colorScheme}.png` })
  }
}
