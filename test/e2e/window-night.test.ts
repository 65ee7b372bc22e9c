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

test('the countdown tells of the seconds that are left, and goes when somebody else calls it off', async () => {
  const { engine } = await open(6)
  engine.countDown({ action: 'shutdown', queue: null, endsAt: Date.now() + 600_000 })
  const alert = page.getByRole('alert').filter({ hasText: 'All downloads are done.' })
  await alert.getByText(/The machine is turned off in (600|5\d\d) s\./).waitFor()
  // It stays in sight on every page, and in a window that is opened meanwhile.
  await page.getByRole('button', { name: 'Tonight' }).click()
  expect(await alert.isVisible()).toBe(true)
  await page.reload()
  await alert.waitFor()
  await engine.handlers['countdown.cancel'](undefined)
  await alert.waitFor({ state: 'hidden' })
})

test('a browser that may shows when all is done and when there is a report, which a click opens', async () => {
  const complaints = complaintsOf(page)
  await page.addInitScript(() => {
    const shown: { title: string; body?: string; onclick: (() => void) | null }[] = []
    class Recorded {
      static permission = 'granted'
      onclick: (() => void) | null = null
      readonly title: string
      readonly body?: string
      constructor(title: string, options: { body?: string }) {
        this.title = title
        this.body = options.body
        shown.push(this)
      }
    }
    Object.assign(window, { Notification: Recorded, shown })
  })
  const { engine } = await open(6)
  // Asked for once all is subscribed.
  await expect.poll(() => engine.calls.get('countdown.get')).toBe(1)
  const shown = () =>
    page.evaluate(() =>
      (window as unknown as { shown: { title: string; body?: string }[] }).shown.map(({ title, body }) => [
        title,
        body,
      ]),
    )
  const asked: unknown[] = []
  const { 'report.get': get } = engine.handlers
  const empty = { from: 1, to: 2, complete: true, finished: 0, failed: 0, receivedBytes: 0 }
  const reports: Pick<typeof engine.handlers, 'report.nights' | 'report.get'> = {
    'report.nights': () => ({ nights: ['2026-11-26', '2026-11-25'].map((night) => ({ ...empty, night })) }),
    'report.get': (input) => {
      asked.push(input.night)
      return get(input)
    },
  }
  Object.assign(engine.handlers, reports)
  const report = { night: '2026-11-25', because: 'done', finished: 2, failed: 0, files: null } as const
  engine.tell('report.ready', { ...report, title: 'Not worth it', summary: '', tell: false })
  engine.tell('report.ready', { ...report, title: 'Downloads are done', summary: '2 files finished.', tell: true })
  await expect.poll(shown).toEqual([['Downloads are done', '2 files finished.']])
  await page.evaluate(() => (window as unknown as { shown: { onclick: () => void }[] }).shown[0]!.onclick())
  // The night it told of, though there is a later one by now.
  await page.getByRole('heading', { name: 'Report' }).waitFor()
  await expect.poll(() => asked).toContain('2026-11-25')
  engine.tell('work.done', {
    ...{ queueId: null, queue: null, done: 2, failed: 1, left: 0, bytes: 5e6, startedAt: 1, endedAt: 2 },
  })
  await expect
    .poll(async () => (await shown())[1])
    .toEqual(['Nighthaul', 'All downloads are done: 2 finished (5.00 MB), 1 not.'])
  expect(complaints).toEqual([])
})

test('a missed run of a repeating download is skipped, and one that failed says why', async () => {
  const complaints = complaintsOf(page)
  const { engine } = await open(6)
  await page.getByRole('button', { name: 'Tonight' }).click()
  const item = page.locator('.repeat', { hasText: 'planet-latest.osm.pbf' })
  await item.waitFor()
  const [view] = await engine.handlers['repeats.list'](undefined)
  engine.tell('repeats.changed', [
    {
      ...view!,
      askedUntil: Date.now() + 600_000,
      last: {
        ...{ at: Date.now(), result: 'failed', taskId: null, path: null, deleted: [], kept: [] },
        error: { code: 'not_found', message: 'gone', params: { status: 404, host: 'a.example' } },
      },
    },
  ])
  await item.getByText(/^A run was missed\. It runs .*\d\d:\d\d unless you skip it\.$/).waitFor()
  await item.getByText(/^Last .*: failed: The file is not there \(404\)/).waitFor()
  await item.getByRole('button', { name: 'Skip the missed run of planet-latest.osm.pbf' }).click()
  await item.getByText('A run was missed').waitFor({ state: 'hidden' })
  expect(engine.calls.get('repeats.skip')).toBe(1)
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

test('what queues are doing is not worked out anew for each download that changes', async () => {
  const complaints = complaintsOf(page)
  // Time stands still, so that nothing is asked of it for its own sake.
  await page.clock.setFixedTime(Date.now())
  const { engine } = await open(60)
  const [first, ...others] = await engine.handlers['queues.list'](undefined)
  const closed = { ...first!, hold: 'window', changesAt: Date.now() + 3_600_000 } as const
  const opens = page.locator('[data-queue]', { hasText: /Opens .*\d\d:\d\d/ })
  // What is told before the window has heard of its queues is lost.
  await expect
    .poll(() => {
      engine.tell('queues.changed', [closed, ...others])
      return opens.count()
    })
    .toBe(1)
  const paused = page.locator('.sidebar-item[data-filter=paused] .sidebar-count')
  const before = engine.tasks.filter(({ state }) => state === 'paused').length
  await expect.poll(async () => Number(await paused.textContent())).toBe(before)
  await page.evaluate(() => {
    const { toDateString } = Date.prototype
    Object.assign(window, { asked: 0 })
    Date.prototype.toDateString = function () {
      ;(window as unknown as { asked: number }).asked += 1
      return toDateString.call(this)
    }
  })
  const queued = engine.tasks.filter(({ state }) => state === 'queued').slice(0, 5)
  for (const { id } of queued) await engine.handlers['tasks.pause']({ selection: { ids: [id] } })
  await expect.poll(async () => Number(await paused.textContent())).toBe(before + 5)
  expect(await page.evaluate(() => (window as unknown as { asked: number }).asked)).toBe(0)
  expect(complaints).toEqual([])
})

test('with reduced motion the graph shows at once what is known', async () => {
  await page.emulateMedia({ reducedMotion: 'reduce' })
  // The page never gets old enough for a second picture.
  await page.addInitScript(() => {
    performance.now = () => 1000
  })
  await open(60)
  const drawnColumns = () =>
    page.locator('.chart canvas').evaluate((canvas: HTMLCanvasElement) => {
      const { width, height } = canvas
      const { data } = canvas.getContext('2d')!.getImageData(0, 0, width, height)
      const columns = new Set<number>()
      // Of the accent colour, which the line is drawn in: far more blue than red.
      for (let at = 0; at < data.length; at += 4)
        if (data[at + 2]! - data[at]! > 100 && data[at + 3]! > 200) columns.add((at / 4) % width)
      return columns.size / width
    })
  await expect.poll(drawnColumns).toBeGreaterThan(0.5)
})
