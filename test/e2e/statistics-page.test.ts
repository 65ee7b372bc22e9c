/** The page of statistics in Chromium, over a real host: real requests, read by eye and keyboard. */
import { expect, test } from 'vitest'
import { complaintsOf } from '../helpers/chromium.ts'
import { faults } from '../helpers/fault-server.ts'
import { home, openWindow, page, server, useHost } from '../helpers/hosted-window.ts'

useHost()

const figure = (name: string) => page.locator('.stats-figures > div', { hasText: name }).locator('dd').first()

test('tells nothing where nothing was asked, then what requests were like, and stands beside the list', async () => {
  const complaints = complaintsOf(page)
  server.add('/a.bin', { size: 3_000_000, seed: 1 })
  server.fault('/gone.bin', () => faults.status(410))
  await openWindow()
  await page.getByRole('button', { name: 'Statistics' }).click()
  await page.getByText('No requests in this time').waitFor()
  expect(await page.getByRole('button', { name: 'Statistics' }).getAttribute('aria-current')).toBe('page')

  await home.run('get', server.url('/a.bin'))
  await home.run('get', server.url('/gone.bin'))
  // Another period is asked for at once.
  await page.getByText('7 days').click()
  await figure('Requests').waitFor()
  expect(await figure('Requests').textContent()).toBe(String(server.requests.length))
  expect(await page.getByText('1 failed').isVisible()).toBe(true)
  expect(await page.locator('.stats-counts > div', { hasText: 'Status 410' }).locator('dd').textContent()).toBe('1')
  const times = page.getByRole('table', { name: 'Times of a request' })
  expect(await times.getByRole('row', { name: /First byte/ }).textContent()).toMatch(/\d(ms|s)/)
  expect(await times.getByRole('row', { name: /TLS/ }).textContent()).toContain('–')

  // By keyboard: another span of the graph, another order of hosts, one host alone, and back to the list.
  await page.getByRole('radio', { name: 'Hour', exact: true }).focus()
  await page.keyboard.press('ArrowRight')
  expect(await page.getByRole('radio', { name: 'Night' }).isChecked()).toBe(true)
  await page.getByRole('img', { name: /Throughput of the last twelve hours: .*at most/ }).waitFor()
  const host = `127.0.0.1:${server.port}`
  await page.getByRole('button', { name: 'Received', exact: true }).focus()
  await page.keyboard.press('Enter')
  const header = page.getByRole('columnheader', { name: 'Received' })
  expect(await header.getAttribute('aria-sort')).toBe('descending')
  await page.getByRole('button', { name: host }).focus()
  await page.keyboard.press('Space')
  await page.getByText(`Requests to ${host} since`).waitFor()
  await page.getByRole('button', { name: 'Show all hosts' }).click()

  await page.setViewportSize({ width: 480, height: 800 })
  const overflow = await page.locator('.stats').evaluate((element) => element.scrollWidth - element.clientWidth)
  expect(overflow).toBe(0)
  expect(await page.getByRole('button', { name: 'Statistics' }).isVisible()).toBe(true)

  await page.getByRole('navigation').getByRole('button', { name: 'All' }).click()
  await page.getByRole('grid', { name: 'Downloads' }).waitFor()
  expect(complaints).toEqual([])
})

test('offers nothing that would change what is selected in a list that cannot be seen', async () => {
  server.add('/a.bin', { size: 1_000, seed: 1 })
  const { url } = JSON.parse(await home.start('serve').firstLine) as { url: string }
  await home.run('add', server.url('/a.bin'), '--paused')
  await page.goto(url)
  await page.locator('[role=row][data-state=paused]').click()
  const remove = page.getByRole('toolbar').getByRole('button', { name: 'Remove' })
  expect(await remove.getAttribute('aria-disabled')).toBe(null)
  await page.getByRole('button', { name: 'Statistics' }).click()
  expect(await remove.getAttribute('aria-disabled')).toBe('true')
  await page.getByRole('searchbox').fill('a.bin')
  await page.getByRole('grid', { name: 'Downloads' }).waitFor()
})
