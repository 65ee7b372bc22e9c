/** Queues in the built window over a real host: their windows are painted, downloads move among them, the night is shown. */
import type { Locator } from 'playwright'
import { expect, test } from 'vitest'
import { complaintsOf } from '../helpers/chromium.ts'
import { home, openWindow, page, useHost } from '../helpers/hosted-window.ts'
import { row } from '../helpers/window.ts'

useHost()

const queue = (name: string): Locator => page.locator('[data-queue]', { hasText: name })
const cell = (day: number, half: number): Locator => page.locator(`[data-day="${day}"][data-half="${half}"]`)
const names = (): Promise<string[]> => page.locator('[role=row][data-state] .row-name').allInnerTexts()
const queueNames = (): Promise<string[]> => page.locator('[data-queue] .sidebar-label').allInnerTexts()

async function addQueue(name: string): Promise<Locator> {
  await page.getByRole('button', { name: 'Add queue…' }).click()
  const dialog = page.getByRole('dialog', { name: 'New queue' })
  await dialog.getByLabel('Name', { exact: true }).fill(name)
  return dialog
}

test('a queue’s windows are painted by mouse and keyboard, typed to the minute, and say the same', async () => {
  const complaints = complaintsOf(page)
  await openWindow()
  const dialog = await addQueue('Nights')
  await dialog.getByText('In windows').click()
  const text = dialog.getByLabel('Windows as text')
  await text.fill('Mon 01:10-02:00')
  expect(await cell(0, 2).getAttribute('data-state')).toBe('part')
  expect(await cell(0, 3).getAttribute('data-state')).toBe('open')

  // By mouse: Tuesday to Wednesday, 3:00 to 4:30, drawn from the end to the beginning.
  await cell(2, 8).hover()
  await page.mouse.down()
  await cell(1, 6).hover()
  await page.mouse.up()
  expect(await text.inputValue()).toBe('Mon 01:10-02:00, Tue,Wed 03:00-04:30')

  // By keyboard: the Sunday's last hour, and a word for each cell.
  const week = dialog.getByRole('grid', { name: 'Windows of the week' })
  await week.focus()
  await page.keyboard.press('Control+End')
  await page.keyboard.press('Shift+ArrowLeft')
  await page.keyboard.press('Space')
  expect(await text.inputValue()).toBe('Mon 01:10-02:00, Tue,Wed 03:00-04:30, Sun 23:00-24:00')
  const active = await week.getAttribute('aria-activedescendant')
  expect(await page.locator(`[id="${active}"]`).getAttribute('aria-label')).toBe('Sunday 23:00 to 23:30: open')

  await text.fill('Mon 25:00-26:00')
  await dialog.getByText('“25:00-26:00” are no times of day').waitFor()
  await dialog.locator('button[type=submit]').click()
  await dialog.getByText('“25:00-26:00” are no times of day').waitFor()
  await text.fill('Mon-Fri 23:00-07:15')
  await dialog.getByLabel('Time zone').fill('Europe/Berlin')
  await dialog.getByLabel('Finish by').fill('7:00')
  await dialog.getByLabel('Speed limit').fill('2.5')
  await dialog.getByLabel('Priority').fill('-3')
  await dialog.getByRole('button', { name: 'Add action' }).click()
  await dialog.getByLabel('What happens').selectOption('sleep')
  await dialog.locator('button[type=submit]').click()
  await dialog.waitFor({ state: 'hidden' })

  const stored = JSON.parse((await home.run('queue', 'list', '--json')).stdout.trim().split('\n').at(-1)!)
  expect(stored).toMatchObject({
    name: 'Nights',
    windows: 'Mon-Fri 23:00-07:15',
    timeZone: 'Europe/Berlin',
    finishBy: '07:00',
    limitBytesPerSecond: 2_500_000,
    priority: -3,
    whenDone: [{ kind: 'sleep' }],
  })

  await page.getByRole('button', { name: 'Tonight' }).click()
  await page.locator('.timeline-row', { hasText: 'Nights' }).locator('.timeline-deadline').waitFor()
  await page.locator('.night-events li', { hasText: 'Nights should be finished' }).waitFor()
  expect(complaints).toEqual([])
})

test('downloads go to a queue by dragging and by menu, are put in order with the keyboard, and forced', async () => {
  const complaints = complaintsOf(page)
  await home.run('queue', 'add', 'Later')
  const links = ['a', 'b', 'c', 'd'].map((name) => `https://example.invalid/${name}.bin`)
  await home.run('add', ...links, '--paused')
  await openWindow()
  await row(page, 'a.bin').waitFor()

  // Two are dragged together.
  await row(page, 'a.bin').click()
  await row(page, 'c.bin').click({ modifiers: ['Control'] })
  await row(page, 'a.bin').dragTo(queue('Later'))
  await page.getByText('2 downloads moved to “Later”').waitFor()
  await queue('Later').click()
  await expect.poll(names).toEqual(['a.bin', 'c.bin'])
  expect(await queue('Later').getAttribute('aria-current')).toBe('page')

  // What is added goes to the queue shown.
  await page.getByRole('button', { name: 'Add', exact: true }).click()
  const adding = page.getByRole('dialog', { name: 'Add downloads' })
  await adding.getByLabel('Links').fill('https://example.invalid/e.bin')
  expect(await adding.getByLabel('Queue').locator('option:checked').textContent()).toBe('Later')
  await adding.getByLabel('Add paused').check()
  await adding.locator('button[type=submit]').click()
  await expect.poll(names).toEqual(['a.bin', 'c.bin', 'e.bin'])
  await row(page, 'e.bin').click()
  await page.keyboard.press('Delete')
  await page.getByRole('button', { name: 'Remove from list' }).click()
  await expect.poll(names).toEqual(['a.bin', 'c.bin'])

  // Everything of the queue shown is what “all” means.
  await page.getByRole('grid', { name: 'Downloads' }).focus()
  await page.keyboard.press('Control+a')
  await row(page, 'a.bin').click({ button: 'right' })
  await page.getByRole('menuitem', { name: 'Move to queue' }).click()
  await page.getByRole('menuitem', { name: 'Default' }).click()
  await page.getByText('2 downloads moved to “Default”').waitFor()
  await page.getByText('No downloads here').waitFor()
  await queue('Default').click()
  await expect.poll(names).toEqual(['a.bin', 'b.bin', 'c.bin', 'd.bin'])

  await row(page, 'b.bin').click()
  await page.keyboard.press('Alt+ArrowDown')
  await expect.poll(names).toEqual(['a.bin', 'c.bin', 'b.bin', 'd.bin'])
  await page.keyboard.press('Alt+ArrowUp')
  await expect.poll(names).toEqual(['a.bin', 'b.bin', 'c.bin', 'd.bin'])
  await page.keyboard.press('Alt+End')
  await expect.poll(names).toEqual(['a.bin', 'c.bin', 'd.bin', 'b.bin'])
  await page.keyboard.press('Alt+Home')
  await expect.poll(names).toEqual(['b.bin', 'a.bin', 'c.bin', 'd.bin'])

  // What its queue holds back starts all the same.
  await queue('Default').click({ button: 'right' })
  await page.getByRole('menuitem', { name: 'Stop', exact: true }).click()
  await queue('Default').getByText('Stopped').waitFor()
  await row(page, 'd.bin').click()
  await page.keyboard.press('s')
  await expect.poll(() => row(page, 'd.bin').getAttribute('data-state')).not.toBe('paused')
  expect(complaints).toEqual([])
})

test('queues are put in order, renamed and removed with the keyboard; their downloads stay', async () => {
  await home.run('queue', 'add', 'One')
  await home.run('queue', 'add', 'Two')
  await home.run('add', 'https://example.invalid/kept.bin', '--paused', '--queue', 'Two')
  await openWindow()
  await queue('Two').focus()
  await page.keyboard.press('Alt+ArrowUp')
  await expect.poll(queueNames).toEqual(['Default', 'Two', 'One'])
  await page.keyboard.press('F2')
  const dialog = page.getByRole('dialog', { name: 'Queue “Two”' })
  await dialog.getByLabel('Name', { exact: true }).fill('one')
  await dialog.getByText('There is a queue of this name already').waitFor()
  await dialog.getByLabel('Name', { exact: true }).fill('Zwei')
  await page.keyboard.press('Enter')
  await dialog.waitFor({ state: 'hidden' })
  await queue('Zwei').dragTo(queue('One'))
  await expect.poll(queueNames).toEqual(['Default', 'One', 'Zwei'])
  await queue('Zwei').focus()
  await page.keyboard.press('Delete')
  // A key that comes before the dialog has the focus is not for it.
  await page.getByRole('dialog', { name: 'Remove the queue “Zwei”?' }).locator(':focus').waitFor()
  await page.keyboard.press('Enter')
  await expect.poll(queueNames).toEqual(['Default', 'One'])
  await queue('Default').click()
  await expect.poll(names).toEqual(['kept.bin'])
})

test('what a queue is doing and what comes next is read without a tooltip, however narrow the window', async () => {
  await home.run('queue', 'add', 'Nights', '--window', '23:00-23:01', '--finish-by', '07:00', '--limit-rate', '1M')
  await home.run('add', 'https://example.invalid/a.bin', '--queue', 'Nights')
  await openWindow()
  for (const width of [480, 700, 1280]) {
    await page.setViewportSize({ width, height: 640 })
    const status = queue('Nights').locator('.sidebar-status')
    await status.scrollIntoViewIfNeeded()
    await status.getByText(/^Opens .*23:00/).waitFor()
    const cut = await status.evaluate((element) => {
      const range = document.createRange()
      range.selectNodeContents(element)
      const text = range.getBoundingClientRect()
      const strip = element.closest('.sidebar-queues')!.getBoundingClientRect()
      const item = element.closest('button')!.getBoundingClientRect()
      return text.right > item.right || text.bottom > item.bottom || text.left < strip.left || text.top < strip.top
    })
    expect(cut, `at ${width} pixels`).toBe(false)
  }
})
