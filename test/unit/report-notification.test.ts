import { EventEmitter } from 'node:events'
import { expect, test, vi } from 'vitest'
import { attendDesktop } from '../../electron/desktop-power.ts'
import type { ReportReady } from '../../shared/report.ts'
import type { WorkDone } from '../../shared/unattended.ts'
import { PATIENT_MS } from '../helpers/patience.ts'

const READY: ReportReady = {
  ...{ night: '2026-11-25', because: 'done', title: 'Downloads are done: 2 finished', summary: '2 files finished.' },
  ...{ finished: 2, failed: 0, tell: true, files: null },
}

test('a report worth telling is told by the app, and a click shows the window on that report', async () => {
  const listeners = new Map<string, (payload: never) => void>()
  const client = {
    call: async () => ({ working: false, keepAwake: false }),
    subscribe: async (name: string, listener: (payload: never) => void) => void listeners.set(name, listener),
    onClose() {},
  }
  const shown: { title?: string; body?: string; click: () => void }[] = []
  const showWindow = vi.fn()
  let running = () => {}
  attendDesktop({
    powerMonitor: Object.assign(new EventEmitter(), { isOnBatteryPower: () => false }) as never,
    powerSaveBlocker: { start: () => 1, stop: () => true },
    notify: (options) =>
      ({
        on: (_event: string, click: () => void) => void shown.push({ ...options, click }),
        show() {},
      }) as never,
    engine: async () => client as never,
    onRunning: (listener) => {
      running = listener
    },
    ...{ showWindow, quit() {}, logger: { debug() {}, info() {}, warn() {}, error() {} } },
  })
  running()
  await vi.waitFor(() => expect(listeners.has('report.ready')).toBe(true), PATIENT_MS)
  const tell = listeners.get('report.ready') as (ready: ReportReady) => void
  tell({ ...READY, tell: false })
  expect(shown).toEqual([])
  tell(READY)
  expect(shown).toMatchObject([{ title: READY.title, body: READY.summary }])
  shown[0]!.click()
  const done = listeners.get('work.done') as (work: WorkDone) => void
  done({ queueId: null, queue: null, done: 2, failed: 1, left: 0, bytes: 5e6, startedAt: 1, endedAt: 2 })
  shown[1]!.click()
  expect(showWindow.mock.calls).toEqual([[{ page: 'report', night: READY.night }], [{ page: 'report' }]])
})
