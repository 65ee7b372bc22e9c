import { expect, test } from 'vitest'
import { listenForReports } from '../../electron/platform/report-notifications.ts'
import type { ReportReady } from '../../shared/report.ts'

const READY: ReportReady = {
  ...{ night: '2026-11-25', because: 'done', title: 'Downloads are done: 2 finished', summary: '2 files finished.' },
  ...{ finished: 2, failed: 0, tell: true, files: null },
}

test('a report worth telling is told, and a click shows the window', async () => {
  const listeners: ((ready: ReportReady) => void)[] = []
  const shown: { title: string; body: string; click: () => void }[] = []
  const warned: string[] = []
  let windows = 0
  const logger = {
    debug() {},
    info() {},
    error() {},
    warn: (_data: object, message: string) => void warned.push(message),
  }
  const deps = {
    show: (text: { title: string; body: string }, click: () => void) => void shown.push({ ...text, click }),
    showWindow: () => void windows++,
    logger,
  }
  const subscribe = async (_name: string, listener: unknown) => {
    listeners.push(listener as (ready: ReportReady) => void)
    return { setVisible() {}, dispose() {} }
  }
  await listenForReports({ ...deps, engine: async () => ({ subscribe }) as never })
  listeners[0]!({ ...READY, tell: false })
  expect(shown).toEqual([])
  listeners[0]!(READY)
  expect(shown).toMatchObject([{ title: READY.title, body: READY.summary }])
  shown[0]!.click()
  expect(windows).toBe(1)

  await listenForReports({ ...deps, engine: () => Promise.reject(new Error('away')) })
  expect(warned).toHaveLength(1)
})
