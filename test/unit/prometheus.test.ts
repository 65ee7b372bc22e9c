/** `/metrics` as text: parsed strictly, with every label a server could think of. */

import { describe, expect, test } from 'vitest'
import { type ProcessFigures, watchProcess } from '../../electron/headless/process-figures.ts'
import { metricsText, type Scrape } from '../../electron/headless/prometheus.ts'
import { addSample, emptyTally, type RequestSample, totalsOf } from '../../shared/request-statistics.ts'
import { TASK_STATES, type TaskState } from '../../shared/task-state.ts'
import { readExposition } from '../helpers/exposition.ts'
import fc from '../helpers/property.ts'

const tasks = Object.fromEntries(TASK_STATES.map((state, index) => [state, index])) as Record<TaskState, number>

const SAMPLE: RequestSample = {
  host: 'a.test',
  method: 'GET',
  startedAt: 0,
  queueMs: 0,
  connectMs: null,
  tlsMs: null,
  firstByteMs: 20,
  durationMs: 1_000,
  bytes: 500,
  status: 206,
  errorCode: null,
  reused: true,
  httpVersion: '1.1',
}

const PROCESS: ProcessFigures = {
  startedAt: 1_700_000_000.5,
  cpuSeconds: 12.25,
  residentBytes: 200_000_000,
  heapUsedBytes: 50_000_000,
  externalBytes: 1_000_000,
  openFiles: 33,
  eventLoopDelay: { median: 0.001, p99: 0.02, most: 0.15 },
}

function scrapeOf(samples: readonly RequestSample[], hosts: readonly string[] = ['a.test']): Scrape {
  const tally = emptyTally()
  for (const sample of samples) addSample(tally, sample)
  const all = totalsOf(tally)
  return {
    version: '1.2.3',
    tasks,
    bytesPerSecond: 12.5,
    totals: { all, hosts: hosts.map((host) => ({ host, ...all })) },
    process: PROCESS,
  }
}

const read = (scrape: Scrape) => readExposition(metricsText(scrape))

describe('the text', () => {
  test('holds counters, gauges and histograms by their names, in seconds and bytes', () => {
    const families = read(
      scrapeOf([
        SAMPLE,
        { ...SAMPLE, durationMs: 4_000, status: null, errorCode: 'stalled' },
        { ...SAMPLE, status: null },
      ]),
    )
    const plain = (name: string) => families.get(name)!.samples.map(({ labels, value }) => [labels, value])
    expect(plain('nighthaul_info')).toEqual([[{ version: '1.2.3' }, 1]])
    expect(plain('nighthaul_tasks')).toContainEqual([{ state: 'active' }, tasks.active])
    expect(plain('nighthaul_throughput_bytes_per_second')).toEqual([[{}, 12.5]])
    expect(plain('nighthaul_requests_total')).toEqual([
      [{ outcome: 'succeeded' }, 1],
      [{ outcome: 'failed' }, 1],
      [{ outcome: 'stopped' }, 1],
    ])
    expect(plain('nighthaul_requests_reused_total')).toEqual([[{}, 3]])
    expect(plain('nighthaul_responses_total')).toEqual([[{ status: '206' }, 1]])
    expect(plain('nighthaul_request_errors_total')).toEqual([[{ code: 'stalled' }, 1]])
    expect(plain('nighthaul_host_response_bytes_total')).toEqual([[{ host: 'a.test' }, 1500]])
    const { type, samples } = families.get('nighthaul_request_duration_seconds')!
    expect(type).toBe('histogram')
    const bucket = (le: string) => samples.find(({ labels }) => labels.le === le)?.value
    expect([bucket('0.512'), bucket('1.024'), bucket('2.048'), bucket('4.096'), bucket('+Inf')]).toEqual([
      0, 1, 1, 2, 2,
    ])
    expect(samples.find(({ name }) => name.endsWith('_sum'))!.value).toBe(5)
    expect(families.get('nighthaul_request_tls_seconds')!.samples.at(-1)).toMatchObject({ value: 0 })
  })

  test('can be read whatever hosts, statuses and times there are', () => {
    const sample = fc.record({
      durationMs: fc.double({ min: 0, max: 1e9, noNaN: true }),
      status: fc.option(fc.integer({ min: 100, max: 999 })),
      bytes: fc.nat(),
    })
    const host = fc.oneof(
      fc.string({ unit: 'binary' }),
      fc.string({ unit: fc.constantFrom('"', '\\', '\n', 'a', '}') }),
    )
    fc.assert(
      fc.property(fc.array(sample, { maxLength: 30 }), fc.uniqueArray(host, { maxLength: 5 }), (samples, hosts) => {
        const families = read(
          scrapeOf(
            samples.map((rest) => ({ ...SAMPLE, ...rest })),
            hosts,
          ),
        )
        const shown = families.get('nighthaul_host_response_bytes_total')!.samples.map(({ labels }) => labels.host)
        expect(shown).toEqual(hosts)
      }),
    )
  })

  test('tells how the process is by the names that dashboards know, without handles where the system hides them', () => {
    const value = (name: string, process = PROCESS) =>
      read({ ...scrapeOf([]), process })
        .get(name)
        ?.samples.map((sample) => sample.value)
    expect(value('process_resident_memory_bytes')).toEqual([200_000_000])
    expect(value('process_open_fds')).toEqual([33])
    expect(value('process_open_fds', { ...PROCESS, openFiles: null })).toBe(undefined)
    expect(value('nodejs_eventloop_lag_p99_seconds')).toEqual([0.02])
  })

  test('does not grow with what servers make up', () => {
    const statuses = Array.from({ length: 900 }, (_, index) => ({ ...SAMPLE, status: 100 + index }))
    const families = read(scrapeOf(statuses))
    const { samples } = families.get('nighthaul_responses_total')!
    expect(samples.length).toBeLessThanOrEqual(65)
    expect(samples.reduce((sum, { value }) => sum + value, 0)).toBe(900)
  })
})

test('a blocked event loop is seen in the figures of the process, once', async () => {
  const watch = watchProcess()
  try {
    const looks = () => new Promise((resolve) => setTimeout(resolve, 50))
    let figures = watch.read()
    // What the monitor sees counts from its first look on, which may be late on a busy machine.
    for (let tries = 0; tries < 10 && figures.eventLoopDelay.most <= 0.2; tries++) {
      await looks()
      const until = performance.now() + 300
      while (performance.now() < until);
      await looks()
      figures = watch.read()
    }
    expect(figures.eventLoopDelay.most).toBeGreaterThan(0.2)
    // In the same turn nothing can have been blocked since.
    expect(watch.read().eventLoopDelay.most).toBeLessThan(0.2)
    const { eventLoopDelay, openFiles, residentBytes } = figures
    expect(eventLoopDelay.most).toBeGreaterThanOrEqual(eventLoopDelay.median)
    expect(residentBytes).toBeGreaterThan(10_000_000)
    if (process.platform === 'linux') expect(openFiles).toBeGreaterThan(2)
  } finally {
    watch.close()
  }
})
