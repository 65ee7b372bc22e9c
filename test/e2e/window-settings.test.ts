/** What the settings' dialog says of nights reaches the engine, over a real host. */
import { expect, test } from 'vitest'
import { connectLocal } from '../../electron/rpc/local-server.ts'
import { complaintsOf } from '../helpers/chromium.ts'
import { home, openWindow, page, useHost } from '../helpers/hosted-window.ts'

useHost()

test('deadlines, reports, the journal, battery and sleep, and what follows when all is done are set', async () => {
  const complaints = complaintsOf(page)
  await openWindow()
  await page.getByRole('button', { name: 'Settings' }).click()
  const dialog = page.getByRole('dialog', { name: 'Settings' })
  await dialog.getByLabel('If not all can be done in time').selectOption('In list order')
  await dialog.getByLabel('Queues without a deadline may do with less').uncheck()
  await dialog.getByLabel('Ask for sizes beforehand').uncheck()
  await dialog.getByLabel('Report of the night').selectOption('In the morning')
  await dialog.getByText(`As pages and JSON in the folder “reports” of ${home.profile}`).waitFor()
  await dialog.getByLabel('Keep reports of').fill('12')
  await dialog.getByLabel('Keep the journal for').fill('400')
  expect(await dialog.getByRole('button', { name: 'Save' }).isDisabled()).toBe(true)
  await dialog.getByLabel('Keep the journal for').fill('90')
  await dialog.getByLabel('On battery').selectOption('Go on slower')
  await dialog.getByLabel('Speed on battery').fill('0.5')
  await dialog.getByLabel('Keep the machine awake while downloads run').check()
  await dialog.getByRole('button', { name: 'Add action' }).click()
  await dialog.getByLabel('What happens').selectOption('sleep')
  // In a browser nothing stays in a tray.
  expect(await dialog.getByLabel('When the window is closed').count()).toBe(0)
  await dialog.getByRole('button', { name: 'Save' }).click()
  await dialog.waitFor({ state: 'hidden' })
  const client = await connectLocal(home.profile)
  expect(await client!.call('settings.get')).toMatchObject({
    deadlineOrder: 'asListed',
    deadlineMayBorrow: false,
    probeSizes: false,
    reports: 'night',
    reportsKept: 12,
    journalDays: 90,
    onBattery: 'limit',
    batteryLimitBytesPerSecond: 500_000,
    inhibitSleep: true,
    whenDone: [{ kind: 'sleep' }],
  })
  client!.close()
  expect(complaints).toEqual([])
})
