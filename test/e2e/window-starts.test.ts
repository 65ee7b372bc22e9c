/** Starts of single downloads in the built window over a real host: said when adding, changed, cleared, for many at once. */
import { expect, test } from 'vitest'
import { readStart } from '../../renderer/features/schedule/start-time.ts'
import { complaintsOf } from '../helpers/chromium.ts'
import { jsonLines } from '../helpers/cli.ts'
import { home, openWindow, page, server, useHost } from '../helpers/hosted-window.ts'
import { row } from '../helpers/window.ts'

useHost()

const HOUR_MS = 3_600_000

async function tasks(): Promise<Record<string, unknown>[]> {
  return jsonLines((await home.run('list', '--json')).stdout)
}

async function startOf(name: string): Promise<number | null> {
  const task = (await tasks()).find(({ filename }) => filename === name)
  return (task?.startAt ?? null) as number | null
}

/** What the window makes of a time, which the engine is to have got. */
function instant(text: string): number {
  const read = readStart(text, Date.now())
  if (!('at' in read) || read.at === null) throw new Error(`“${text}” is no time`)
  return read.at
}

const names = (): Promise<string[]> => page.locator('[role=row][data-state] .row-name').allInnerTexts()

test('a start is said when adding, shown in the row, changed and cleared in the details', async () => {
  const complaints = complaintsOf(page)
  server.add('/film.bin', { size: 1000, seed: 1 })
  await openWindow()
  await page.getByRole('button', { name: 'Add', exact: true }).click()
  const dialog = page.getByRole('dialog', { name: 'Add downloads' })
  await dialog.getByLabel('Links').fill(server.url('/film.bin'))
  await dialog.getByRole('textbox', { name: 'Folder' }).fill(home.files)
  const start = dialog.getByRole('combobox', { name: 'Start' })
  await start.fill('soon')
  await dialog.getByText('Not a time').waitFor()
  expect(await dialog.locator('button[type=submit]').isDisabled()).toBe(true)
  await start.fill('2026-01-01')
  await dialog.getByText('That is past already').waitFor()
  await start.fill('tomorrow at 07:05')
  await dialog.getByText(/^Starts \w+ 07:05$/).waitFor()
  await dialog.locator('button[type=submit]').click()
  await dialog.waitFor({ state: 'hidden' })
  await row(page, 'film.bin', 'waiting')
    .getByText(/^Starts \w+ 07:05$/)
    .last()
    .waitFor()
  expect(await startOf('film.bin')).toBe(instant('tomorrow 07:05'))
  expect(server.requests).toHaveLength(0)

  await row(page, 'film.bin').click()
  await page.keyboard.press('Enter')
  const details = page.getByRole('region', { name: 'Details of film.bin' })
  const field = details.getByRole('combobox', { name: 'Start' })
  await field.fill('tomorrow at 09:30')
  await field.press('Enter')
  await row(page, 'film.bin', 'waiting')
    .getByText(/^Starts \w+ 09:30$/)
    .last()
    .waitFor()
  expect(await startOf('film.bin')).toBe(instant('tomorrow 09:30'))
  await field.fill('')
  await field.press('Enter')
  await row(page, 'film.bin', 'done').waitFor()
  expect(complaints).toEqual([])
})

test('the menu sets and clears the start of all that is selected, and a narrow window tells it too', async () => {
  await page.setViewportSize({ width: 480, height: 640 })
  await home.run('add', ...['a', 'b', 'c'].map((name) => server.url(`/${name}.bin`)), '--paused')
  await openWindow()
  await row(page, 'c.bin').waitFor()
  await row(page, 'a.bin').click()
  await row(page, 'b.bin').click({ modifiers: ['Shift'] })
  const before = Date.now()
  const choose = async (...path: string[]): Promise<void> => {
    await row(page, 'b.bin').click({ button: 'right' })
    for (const name of path) await page.getByRole('menuitem', { name, exact: true }).click()
  }
  await choose('Start later', 'In 2 hours')
  await page.getByText(/^2 downloads start/).waitFor()
  const at = await startOf('a.bin')
  expect(at).toBe(await startOf('b.bin'))
  expect(at).toBeGreaterThanOrEqual(before + 2 * HOUR_MS)
  expect(at).toBeLessThanOrEqual(Date.now() + 2 * HOUR_MS)
  expect(await row(page, 'a.bin').locator('.row-start').isVisible()).toBe(true)
  expect(await row(page, 'a.bin').locator('.row-start').innerText()).toMatch(/^Starts .*\d\d:\d\d/)
  await choose('Start later', 'When its queue works')
  await page.getByText('2 downloads start when their queues work').waitFor()
  expect(await startOf('a.bin')).toBeNull()
  expect((await tasks()).find(({ filename }) => filename === 'c.bin')).toMatchObject({ state: 'paused' })
})

test('many are changed at once: their queue, their place and their start, also where a filter shows them', async () => {
  const complaints = complaintsOf(page)
  await home.run('queue', 'add', 'Later')
  const links = ['a', 'b', 'c', 'd'].map((name) => server.url(`/${name}.bin`))
  await home.run('add', ...links.slice(0, 2), '--paused', '--queue', 'Later')
  await home.run('add', ...links.slice(2), '--paused')
  await openWindow()
  await page.locator('[data-queue]', { hasText: 'Default' }).click()
  await expect.poll(names).toEqual(['c.bin', 'd.bin'])
  await page.getByRole('grid', { name: 'Downloads' }).focus()
  await page.keyboard.press('Control+a')
  await page.keyboard.press('e')
  const dialog = page.getByRole('dialog', { name: 'Change 2 downloads' })
  await dialog.getByLabel('Start').selectOption('At a time')
  await dialog.getByLabel('Time').fill('tomorrow 23:00')
  await dialog.getByLabel('Queue').selectOption('Later')
  await dialog.getByLabel('Order').selectOption('To the top')
  await dialog.getByRole('button', { name: 'Change', exact: true }).click()
  await page.getByText('2 downloads changed').waitFor()
  await page.locator('[data-queue]', { hasText: 'Later' }).click()
  await expect.poll(names).toEqual(['c.bin', 'd.bin', 'a.bin', 'b.bin'])
  expect(await startOf('d.bin')).toBe(instant('tomorrow 23:00'))
  expect(await startOf('a.bin')).toBeNull()

  // Now, although their queue is stopped.
  await home.run('queue', 'stop', 'Later')
  await page.getByRole('grid', { name: 'Downloads' }).focus()
  await page.keyboard.press('Control+a')
  await page.keyboard.press('e')
  const all = page.getByRole('dialog', { name: 'Change 4 downloads' })
  await all.getByLabel('Start').selectOption('Now, whatever its queue says')
  await all.getByLabel('Order').selectOption('To the end')
  await all.getByRole('button', { name: 'Change', exact: true }).click()
  await all.waitFor({ state: 'hidden' })
  await expect.poll(() => server.requests.length).toBeGreaterThanOrEqual(4)
  expect(complaints).toEqual([])
})

test('rows are put in order by dragging, several together, and only where the order shown is the queue’s', async () => {
  const complaints = complaintsOf(page)
  await home.run('add', ...['a', 'b', 'c', 'd'].map((name) => server.url(`/${name}.bin`)), '--paused')
  await openWindow()
  await expect.poll(names).toEqual(['a.bin', 'b.bin', 'c.bin', 'd.bin'])
  // Onto the upper half of a row: before it; onto its lower half: behind it.
  await row(page, 'd.bin').dragTo(row(page, 'b.bin'), { targetPosition: { x: 60, y: 5 } })
  await expect.poll(names).toEqual(['a.bin', 'd.bin', 'b.bin', 'c.bin'])
  await row(page, 'a.bin').click()
  await row(page, 'b.bin').click({ modifiers: ['Control'] })
  await row(page, 'a.bin').dragTo(row(page, 'c.bin'), { targetPosition: { x: 60, y: 40 } })
  await expect.poll(names).toEqual(['d.bin', 'c.bin', 'a.bin', 'b.bin'])
  expect((await tasks()).map(({ filename }) => filename)).toEqual(['d.bin', 'c.bin', 'a.bin', 'b.bin'])
  expect(await page.locator('.drop-line').count()).toBe(0)

  // Where they would go is shown; all of them together have nowhere to go.
  const dragOver = async (): Promise<number> => {
    await row(page, 'd.bin').hover()
    await page.mouse.down()
    await row(page, 'c.bin').hover({ position: { x: 60, y: 40 } })
    await row(page, 'c.bin').hover({ position: { x: 62, y: 40 } })
    const lines = await page.locator('.drop-line').count()
    await page.keyboard.press('Escape')
    await page.mouse.up()
    return lines
  }
  expect(await dragOver()).toBe(1)
  await page.getByRole('grid', { name: 'Downloads' }).focus()
  await page.keyboard.press('Control+a')
  expect(await dragOver()).toBe(0)

  await page.getByRole('columnheader', { name: 'Name' }).getByRole('button').click()
  await expect.poll(names).toEqual(['a.bin', 'b.bin', 'c.bin', 'd.bin'])
  await row(page, 'd.bin').dragTo(row(page, 'a.bin'), { targetPosition: { x: 60, y: 5 } })
  expect((await tasks()).map(({ filename }) => filename)).toEqual(['d.bin', 'c.bin', 'a.bin', 'b.bin'])
  expect(complaints).toEqual([])
})
