/** The window over an engine that does as it is told: ten thousand downloads among queues, and a machine about to sleep. */
import { expect, test } from 'vitest'
import { complaintsOf } from '../helpers/chromium.ts'
import { type FakeWindowServer, startFakeWindowServer } from '../helpers/fake-window-server.ts'
import { page, usePage } from '../helpers/hosted-window.ts'
import { row } from '../helpers/window.ts'

usePage(() => server?.close())

let server: FakeWindowServer | undefined

async function open(tasks: number): Promise<FakeWindowServer> {
  server = await startFakeWindowServer({ tasks })
  await page.goto(server.url)
  await page.getByRole('grid', { name: 'Downloads' }).waitFor()
  return server
}

test('before the machine sleeps there is a countdown, and Cancel calls it off', async () => {
  const complaints = complaintsOf(page)
  const { engine } = await open(6)
  engine.countDown({ action: 'sleep', queue: 'Overnight', endsAt: Date.now() + 600_000 })
  const alert = page.getByRole('alert').filter({ hasText: 'Overnight' })
  await alert.waitFor()
  await alert.getByRole('button').click()
  await alert.waitFor({ state: 'hidden' })
  expect(engine.calls.get('countdown.cancel')).toBe(1)
  expect(complaints).toEqual([])
})

test('ten thousand downloads go from queue to queue without being loaded', async () => {
  const complaints = complaintsOf(page)
  const { engine } = await open(10_000)
  await row(page, 'ubuntu-26.04-desktop-amd64-00001.iso').click()
  await page.keyboard.press('Control+a')
  const unfinished = engine.tasks.filter(({ state }) => state !== 'done').length
  await row(page, 'ubuntu-26.04-desktop-amd64-00001.iso').dragTo(page.locator('[data-queue="2"]'))
  await page.getByText(`${unfinished.toLocaleString('en')} downloads moved to “Overnight”`).waitFor()
  await page.locator('[data-queue="2"]').click()
  const grid = page.getByRole('grid', { name: 'Downloads' })
  await expect.poll(() => grid.getAttribute('aria-rowcount')).toBe(String(unfinished + 1))
  await grid.focus()
  await page.keyboard.press('End')
  await row(page, engine.tasks.findLast(({ state }) => state !== 'done')!.filename).waitFor()
  // A few pages of 200 rows, of ten thousand.
  expect(engine.calls.get('tasks.list')).toBeLessThan(12)
  expect(complaints).toEqual([])
})
