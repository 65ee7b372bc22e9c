/** What is typed in the dialogs of the night is not lost, whatever happens meanwhile; and how they are seen and touched. */
import type { Locator } from 'playwright'
import { expect, test } from 'vitest'
import { connectLocal } from '../../electron/rpc/local-server.ts'
import { complaintsOf } from '../helpers/chromium.ts'
import { jsonLines } from '../helpers/cli.ts'
import { home, openWindow, page, useHost } from '../helpers/hosted-window.ts'
import { row } from '../helpers/window.ts'

useHost()

const NIGHT = 'Mon-Sun 23:00-07:00'
const cell = (day: number, half: number): Locator => page.locator(`[data-day="${day}"][data-half="${half}"]`)
const queues = async () => jsonLines((await home.run('queue', 'list', '--json')).stdout) as { name: string }[]

/** The dialog of a queue that is there. */
async function editNight(): Promise<Locator> {
  await page.locator('[data-queue]', { hasText: 'Night' }).focus()
  await page.keyboard.press('F2')
  const dialog = page.getByRole('dialog', { name: 'Queue “Night”' })
  await dialog.waitFor()
  return dialog
}

test('a queue that somebody removes while it is edited can be added again as it was typed', async () => {
  const complaints = complaintsOf(page)
  await home.run('queue', 'add', 'Night', '--window', NIGHT, '--limit-rate', '2000K')
  await openWindow()
  const dialog = await editNight()
  await dialog.getByLabel('Name', { exact: true }).fill('Night 🌙 עברית')
  await dialog.getByLabel('Finish by').fill('6:30 am')
  await home.run('queue', 'remove', 'Night')
  await dialog.getByRole('alert').getByText('was removed meanwhile').waitFor()
  await dialog.getByRole('button', { name: 'Add queue' }).click()
  await dialog.waitFor({ state: 'hidden' })
  expect((await queues()).at(-1)).toMatchObject({
    ...{ name: 'Night 🌙 עברית', windows: NIGHT, finishBy: '06:30', limitBytesPerSecond: 2_048_000 },
  })
  expect(complaints).toEqual([])
})

test('so can a repeating download, which goes to the default queue where its own is gone', async () => {
  const complaints = complaintsOf(page)
  await home.run('queue', 'add', 'Night', '--window', NIGHT)
  await home.run('schedule', 'repeat', 'add', '--when', 'daily 02:00', '--queue', 'Night', 'https://example.invalid/a')
  await openWindow()
  await page.getByRole('button', { name: 'Tonight' }).click()
  await page.getByRole('button', { name: /^Edit .*a$/ }).click()
  const dialog = page.getByRole('dialog', { name: 'Repeating download' })
  await dialog.getByLabel('When').fill('Mon 3 am')
  await home.run('queue', 'remove', 'Night')
  await expect.poll(() => page.locator('[data-queue]').count()).toBe(1)
  const client = await connectLocal(home.profile)
  for (const { id } of await client!.call('repeats.list')) await client!.call('repeats.remove', { id })
  await dialog.getByRole('alert').getByText('was removed meanwhile').waitFor()
  await dialog.getByRole('button', { name: 'Repeat it' }).click()
  await dialog.waitFor({ state: 'hidden' })
  expect(await client!.call('repeats.list')).toMatchObject([{ when: 'Mon 03:00', queueId: 1 }])
  client!.close()
  expect(complaints).toEqual([])
})

test('a text that cannot be read changes nothing of the week, and a press beside the dialog closes nothing', async () => {
  await home.run('queue', 'add', 'Night', '--window', NIGHT)
  await openWindow()
  const dialog = await editNight()
  const text = dialog.getByLabel('Windows as text')
  await text.fill(`${NIGHT}, Tue`)
  expect(await cell(0, 0).getAttribute('data-state')).toBe('open')
  await page.mouse.click(3, 300)
  await cell(2, 20).click()
  expect(await text.inputValue()).toBe('Mon-Sun 23:00-07:00, Wed 10:00-10:30')
  await text.fill('11 pm - 7 am')
  await dialog.getByLabel('Finish by').focus()
  expect(await text.inputValue()).toBe(NIGHT)
  await page.keyboard.press('Escape')
  await dialog.waitFor({ state: 'hidden' })
})

test('a finger draws windows as well, and a quick stroke reaches as far as it was drawn', async () => {
  await home.run('queue', 'add', 'Night', '--window', NIGHT)
  await openWindow()
  const dialog = await editNight()
  const devtools = await page.context().newCDPSession(page)
  const at = async (target: Locator) => {
    const { x, y, width, height } = (await target.boundingBox())!
    return { x: x + width / 2, y: y + height / 2 }
  }
  const touch = async (type: 'touchStart' | 'touchMove' | 'touchEnd', target?: Locator) =>
    devtools.send('Input.dispatchTouchEvent', { type, touchPoints: target ? [await at(target)] : [] })
  await touch('touchStart', cell(0, 20))
  await touch('touchMove', cell(0, 22))
  await touch('touchMove', cell(1, 23))
  await touch('touchEnd')
  await expect
    .poll(() => dialog.getByLabel('Windows as text').inputValue())
    .toBe('Mon,Tue 10:00-12:00, Mon-Sun 23:00-07:00')
  // Over the edge is to the end of the day.
  const { x, y } = (await cell(6, 45).boundingBox())!
  await page.mouse.move(x + 2, y + 2)
  await page.mouse.down()
  await page.mouse.move(x + 400, y + 60)
  await page.mouse.up()
  expect(await dialog.getByLabel('Windows as text').inputValue()).toMatch(/, Sun 22:30-(07:00|00:00)/)
})

test('where the system chooses the colours, what is open is told from what is not', async () => {
  await home.run('queue', 'add', 'Night', '--window', NIGHT)
  await page.emulateMedia({ forcedColors: 'active' })
  await openWindow()
  await page.getByRole('button', { name: 'Tonight' }).click()
  const style = (target: Locator, property: 'backgroundColor' | 'borderTopStyle') =>
    target.first().evaluate((element, name) => getComputedStyle(element)[name], property)
  expect(await style(page.locator('.timeline-bar'), 'borderTopStyle')).toBe('solid')
  await editNight()
  expect(await style(cell(0, 0), 'backgroundColor')).not.toBe(await style(cell(0, 20), 'backgroundColor'))
})

test.each([320, 480, 1280])('in a window %i wide nothing lies beyond its edge', async (width) => {
  await home.run('queue', 'add', 'Ein langer Name '.repeat(6), '--window', NIGHT, '--finish-by', '7am')
  await home.run('schedule', 'repeat', 'add', '--when', 'daily 02:00', `https://example.invalid/${'long-'.repeat(40)}`)
  await page.setViewportSize({ width, height: 700 })
  await openWindow()
  const beyond = () =>
    page.evaluate(() =>
      [...document.querySelectorAll('.toolbar *, .page *, .dialog *')]
        .filter((element) => element.getClientRects().length > 0 && !element.closest('.timeline-track'))
        .filter((element) => element.getBoundingClientRect().right > innerWidth + 1)
        .map((element) => `${element.className} ${element.textContent?.slice(0, 30)}`),
    )
  expect(await beyond()).toEqual([])
  for (const name of ['Tonight', 'Report']) {
    await page.getByRole('button', { name, exact: true }).click()
    await page.getByRole('heading', { name, exact: true }).waitFor()
    if (name === 'Tonight') await page.locator('.timeline-row').first().waitFor()
    expect(await beyond()).toEqual([])
  }
  await page.getByRole('button', { name: 'Add queue…' }).click()
  await page.getByRole('dialog').getByText('In windows').click()
  expect(await beyond()).toEqual([])
})

test('what is wrong has the focus once somebody tries to save it, with its reason', async () => {
  await openWindow()
  await page.getByRole('button', { name: 'Add queue…' }).click()
  const dialog = page.getByRole('dialog', { name: 'New queue' })
  /** name and description of what has the focus */
  const focused = () =>
    page.evaluate(() => {
      const element = document.activeElement as HTMLInputElement
      const ids = element.getAttribute('aria-describedby')?.split(' ') ?? []
      const name = element.getAttribute('aria-label') ?? element.labels?.[0]?.textContent
      return [name, ids.map((id) => document.getElementById(id)?.textContent)[0]]
    })
  await dialog.getByRole('button', { name: 'Add action' }).click()
  await dialog.getByLabel('What happens').selectOption('command')
  await dialog.getByRole('button', { name: 'Add queue' }).click()
  expect(await focused()).toEqual(['Name', 'Needed'])
  await page.keyboard.type('Night')
  await dialog.getByLabel('Finish by').fill('soon')
  await dialog.getByLabel('Priority').focus()
  await page.keyboard.press('Enter')
  expect(await focused()).toEqual(['Finish by', 'Not a time of day: write one like 07:00'])
  await page.keyboard.press('Control+a')
  await page.keyboard.type('07:00')
  await page.keyboard.press('Enter')
  expect(await focused()).toEqual(['Program, then one argument a line', expect.stringContaining('needs a program')])
  await page.keyboard.type('/bin/true')
  await dialog.getByRole('button', { name: 'Add queue' }).click()
  await dialog.waitFor({ state: 'hidden' })
  expect((await queues()).map(({ name }) => name)).toContain('Night')
})

test('a queue that is removed elsewhere leaves neither an empty list nor a report of nothing behind', async () => {
  const complaints = complaintsOf(page)
  await openWindow()
  await home.run('queue', 'add', 'Night', '--window', NIGHT)
  await home.run('add', '--queue', 'Night', 'https://example.invalid/a.bin', '--start-in', '5h')
  // A night in which nothing began has no report.
  await home.run('add', 'http://127.0.0.1:1/b.bin')
  await expect.poll(async () => (await home.run('report', 'nights', '--json')).stdout.trim()).not.toBe('')
  await page.getByRole('button', { name: 'Report' }).click()
  await page.getByLabel('Queue', { exact: true }).selectOption('Night')
  await page.locator('[data-queue]', { hasText: 'Night' }).click()
  await row(page, 'a.bin').waitFor()
  await home.run('queue', 'remove', 'Night')
  await expect.poll(() => page.locator('[data-queue]').count()).toBe(1)
  await row(page, 'a.bin').waitFor()
  await page.locator('.sidebar-item[aria-current=page]', { hasText: 'All' }).waitFor()
  await page.getByRole('button', { name: 'Report' }).click()
  const undone = page.getByRole('region', { name: /^Not done yet/ }).getByRole('button', { name: 'a.bin' })
  await undone.waitFor()

  // What the report leads to may be off the list by now.
  await home.run('remove', '1')
  await undone.click()
  await page.getByRole('region', { name: 'This download is no longer in the list' }).waitFor()
  expect(complaints).toEqual([])
})
