/** The window in Chromium, over a real host: a damaged file is found out and set right. */
import { open } from 'node:fs/promises'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { contentSha256 } from '../helpers/bytes.ts'
import { complaintsOf } from '../helpers/chromium.ts'
import { faults } from '../helpers/fault-server.ts'
import { home, openWindow, page, server, useHost } from '../helpers/hosted-window.ts'
import { row, sha256 } from '../helpers/window.ts'

const MIB = 1024 * 1024
const SIZE = 5 * MIB + 17

useHost()

test('verifies a finished file, marks what differs, and repairs it, from the details and from the menu', async () => {
  const complaints = complaintsOf(page)
  server.add('/film.bin', { size: SIZE, seed: 1 })
  await home.run('get', '-x', '1', server.url('/film.bin'))
  const path = join(home.files, 'film.bin')
  await openWindow()
  await row(page, 'film.bin', 'done').click()
  await page.keyboard.press('Enter')
  const details = page.getByRole('region', { name: 'Details of film.bin' })
  await details.getByText('Not compared with its checksums since it came.').waitFor()
  await details.getByRole('button', { name: 'Verify', exact: true }).click()
  await details.getByText('All 6 blocks are right').waitFor()
  expect(await details.getByRole('button', { name: 'Repair' }).count()).toBe(0)

  const file = await open(path, 'r+')
  await file.write(Buffer.from('damaged'), 0, 7, MIB + 5)
  await file.write(Buffer.from('damaged'), 0, 7, 4 * MIB)
  await file.close()
  await row(page, 'film.bin').click({ button: 'right' })
  await page.getByRole('menuitem', { name: 'Verify file' }).click()
  await details.getByText('2 blocks differ (1.05 MB–2.10 MB, 4.19 MB–5.24 MB)').waitFor()
  expect(await details.locator('.segment-bad').count()).toBe(2)
  await row(page, 'film.bin').getByText('Damaged').waitFor()
  await details.getByText('Damaged', { exact: true }).waitFor()

  const before = server.requests.length
  server.fault('/film.bin', () => faults.late())
  await details.getByRole('button', { name: 'Repair' }).click()
  await details.getByText('Being repaired: only what differs is fetched again.').waitFor()
  await server.until(() => server.held > 0)
  server.fault('/film.bin', null)
  server.release()
  await details.getByText('All 6 blocks are right').waitFor()
  await row(page, 'film.bin', 'done').waitFor()
  expect(await details.locator('.segment-bad').count()).toBe(0)
  expect(await sha256(path)).toBe(contentSha256(1, SIZE))
  expect(
    server.requests
      .slice(before)
      .map(({ headers }) => headers.range)
      .sort(),
  ).toEqual([`bytes=${MIB}-${2 * MIB - 1}`, `bytes=${4 * MIB}-${5 * MIB - 1}`])
  await row(page, 'film.bin').click({ button: 'right' })
  await page.getByRole('menuitem', { name: 'Repair file' }).click()
  await page.getByText('There is nothing to repair').waitFor()
  expect(complaints).toEqual([])
})
