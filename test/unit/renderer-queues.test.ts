/** Queues in the window, the pure parts: the form, what a queue says of itself, the coming night. */
import { describe, expect, test } from 'vitest'
import { profileSpans, queueSpans } from '../../electron/engine/schedule-spans.ts'
import { listCommand } from '../../renderer/features/queue/list-keys.ts'
import { nextDownloads, nightEvents, nightRange, nightRows } from '../../renderer/features/schedule/night.ts'
import { forecastSentence } from '../../renderer/features/schedule/outlook-words.ts'
import { readQueueForm, readWindows, toQueueForm } from '../../renderer/features/schedule/queue-form.ts'
import { queueStatus } from '../../renderer/features/schedule/queue-words.ts'
import type { Forecast, QueueForecast, QueueOutlook, TaskForecast } from '../../shared/forecast.ts'
import { DEFAULT_QUEUE_SETTINGS, type QueueView } from '../../shared/queues.ts'

const NOW = new Date(2026, 10, 26, 20, 0).getTime()
const HOUR = 3_600_000
const queue = (change: Partial<QueueView> = {}): QueueView => ({
  ...DEFAULT_QUEUE_SETTINGS,
  id: 2,
  name: 'Nights',
  hold: null,
  changesAt: null,
  missedWindow: null,
  open: 0,
  running: 0,
  outlook: null,
  lends: null,
  ...change,
})

const OUTLOOK: QueueOutlook = {
  ...{ kind: 'misses', missing: [], deadline: NOW + 11 * HOUR, endsAt: NOW + 12 * HOUR, marginMs: -HOUR },
  ...{ files: 9, filesInTime: 7, leftBytes: 9e9, bytesInTime: 7e9, late: [3, 4], sizesEstimated: 1, basis: 'hour' },
  adapted: { shortestFirst: true, borrowsFrom: [1] },
}
const FORECAST: Forecast = {
  at: NOW,
  until: NOW + 24 * HOUR,
  line: { bytesPerSecond: 1e6, basis: 'hour' },
  repeats: [],
  queues: [],
}

describe('a queue’s form', () => {
  test('says nothing where nothing was changed, whatever the queue says', () => {
    const full = queue({
      limitBytesPerSecond: 2_500_000,
      priority: -3,
      weight: 4,
      downloadsAtOnce: 2,
      connections: 8,
      folder: '/data',
      categories: [{ name: 'Images', extensions: ['iso', 'img'], hosts: ['example.org'], folder: 'images' }],
      stopped: true,
      windows: 'Mon-Fri 23:00-07:00',
      timeZone: 'Europe/Berlin',
      missed: 'ask',
      finishBy: '07:00',
      whenDone: [
        { kind: 'command', program: '/bin/echo', args: ['two words'] },
        { kind: 'webhook', url: 'https://example.org/done' },
        { kind: 'shutdown' },
      ],
    })
    for (const stored of [full, queue()])
      expect(readQueueForm(toQueueForm(stored), stored, [])).toMatchObject({
        patch: { name: 'Nights' },
        hasProblems: false,
      })
    expect(Object.keys(readQueueForm(toQueueForm(full), full, []).patch)).toEqual(['name'])
    expect(Object.keys(readQueueForm(toQueueForm(full), null, []).patch)).toHaveLength(14)
  })

  test.each([
    [{ name: ' ' }, { name: 'required' }],
    [{ name: 'default' }, { name: 'repeated' }],
    [{ limit: 'fast' }, { limit: true }],
    [{ priority: '11' }, { priority: true }],
    [{ priority: '' }, { priority: true }],
    [{ weight: '0' }, { weight: true }],
    [{ connections: '1.5' }, { connections: true }],
    [{ scheduled: true, windows: '' }, { windows: 'empty' }],
    [{ scheduled: true, windows: 'Mon' }, { windows: '“Mon” ends without a time.' }],
    [{ timeZone: 'Mars/Olympus' }, { timeZone: true }],
    [{ finishBy: '24:00' }, { finishBy: true }],
    [{ categories: [{ key: 7, name: 'x', extensions: '', hosts: '', folder: '' }] }, { categories: [7] }],
    [{ whenDone: [{ key: 3, kind: 'webhook' as const, text: 'ftp://x' }] }, { whenDone: [3] }],
    [{ whenDone: [{ key: 3, kind: 'command' as const, text: '\n' }] }, { whenDone: [3] }],
  ])('tells that %j cannot be', (change, problems) => {
    const read = readQueueForm({ ...toQueueForm(queue()), ...change }, queue(), ['Default'])
    expect(read.problems).toMatchObject(problems)
    expect(read.hasProblems).toBe(true)
  })

  test('reads times, lists and windows as people write them', () => {
    const form = {
      ...toQueueForm(queue()),
      finishBy: '7:00',
      scheduled: true,
      windows: '23:00-7:00',
      categories: [{ key: 0, name: 'Images', extensions: '*.ISO .img', hosts: 'A.example; b.example', folder: 'x' }],
    }
    expect(readQueueForm(form, queue(), []).patch).toEqual({
      name: 'Nights',
      finishBy: '07:00',
      windows: 'Mon-Sun 23:00-07:00',
      categories: [{ name: 'Images', extensions: ['iso', 'img'], hosts: ['a.example', 'b.example'], folder: 'x' }],
    })
    expect(readWindows('Mon 01:00-02:00')).toEqual({ text: 'Mon 01:00-02:00', week: [{ from: 60, to: 120 }] })
  })
})

test.each([
  [{}, 'Nothing to do'],
  [{ open: 3, running: 2 }, '2 running'],
  [{ open: 3 }, 'Waiting'],
  [{ hold: 'stopped' as const, changesAt: NOW + HOUR, stopped: true }, 'Stopped'],
  [{ hold: 'window' as const, changesAt: NOW + 3 * HOUR }, 'Opens 23:00'],
  [
    { hold: 'window' as const, changesAt: NOW + 12 * HOUR, open: 1, finishBy: '09:00' },
    'Opens Fri 08:00 · finish by 09:00',
  ],
  [{ changesAt: NOW + HOUR, open: 1, running: 1 }, '1 running · closes 21:00'],
  [{ hold: 'window' as const, changesAt: null }, 'Never opens'],
  [{ changesAt: NOW + HOUR }, 'Open until 21:00'],
  [{ open: 1, finishBy: '07:00', timeZone: 'Pacific/Auckland' }, 'Waiting · finish by 07:00 Pacific/Auckland'],
  [{ open: 9, running: 1, finishBy: '07:00', outlook: OUTLOOK }, '1 running · 2 of 9 late for Fri 07:00'],
  [{ open: 9, running: 1, outlook: { ...OUTLOOK, kind: 'fits' as const } }, '1 running · done before Fri 07:00'],
  [
    { open: 9, running: 1, lends: { to: [2], limitBytesPerSecond: 1, downloadsAtOnce: 1 } },
    '1 running · does with less for another queue',
  ],
  [{ missedWindow: { from: NOW - HOUR, to: NOW, until: null } }, 'Missed its window'],
  [
    { missedWindow: { from: NOW - HOUR, to: NOW, until: NOW + HOUR }, running: 1, open: 1 },
    'Makes up until 21:00 · 1 running',
  ],
])('a queue %j says “%s”', (change, words) => {
  expect(queueStatus(queue(change), NOW)).toBe(words)
})

test('the outlook says what is left, what will be late, and what is done about it', () => {
  const foretold: QueueForecast = {
    ...{ id: 2, name: 'Nights', startsAt: NOW, endsAt: NOW + 12 * HOUR, files: 9, sizesEstimated: 1, leftBytes: 9e9 },
    ...{ work: [], tasks: [], outlook: OUTLOOK },
  }
  expect(forecastSentence(foretold, () => 'Default', NOW)).toBe(
    '9 downloads, about 9.00 GB, done Fri 08:00. 2 of 9 will not be there by Fri 07:00. The shortest come first, so that most are there. Meanwhile these do with less: Default.',
  )
  const unknown: QueueOutlook = {
    ...OUTLOOK,
    kind: 'unknown',
    missing: ['rate'],
    adapted: { shortestFirst: false, borrowsFrom: [] },
  }
  expect(forecastSentence({ ...foretold, endsAt: null, sizesEstimated: 0, outlook: unknown }, () => '', NOW)).toBe(
    '9 downloads, 9.00 GB. When they are done cannot be told. Nothing was measured yet that would tell whether Fri 07:00 can be kept.',
  )
})

test('what starts first comes first, over all queues', () => {
  const task = (id: number, startsAt: number | null) => ({
    ...{ id, name: `${id}`, host: 'h', startsAt, endsAt: null, leftBytes: 1, sizeKnown: true, inTime: null },
  })
  const of = (id: number, tasks: TaskForecast[]): QueueForecast => ({
    ...{ id, name: `Q${id}`, startsAt: null, endsAt: null, files: 1, sizesEstimated: 0, leftBytes: 1, work: [], tasks },
    outlook: null,
  })
  const forecast = { ...FORECAST, queues: [of(1, [task(1, 30), task(2, null)]), of(2, [task(3, 20)])] }
  expect(nextDownloads(forecast).map(({ queue: name, task: { id } }) => [name, id])).toEqual([
    ['Q2', 3],
    ['Q1', 1],
  ])
})

describe('the coming night', () => {
  const from = Date.parse('2026-11-26T20:00Z')
  const range = nightRange(from)
  const nights = queue({ windows: 'Thu 23:00-07:00', timeZone: 'UTC', finishBy: '06:30' })
  const always = queue({ id: 1, name: 'Default' })

  test('shows what is open as parts of the time, and tells openings, deadlines and profiles in order', () => {
    const queues = [always, nights]
    const spans = {
      queues: queues.map((one) => queueSpans(one, range)),
      profiles: profileSpans(
        (at) =>
          at < from + HOUR
            ? { name: 'day', by: 'schedule', until: from + HOUR }
            : { name: 'full', by: 'default', until: null },
        range,
      ),
    }
    const foretold: QueueForecast = {
      ...{ id: 2, name: 'Nights', startsAt: from + 3 * HOUR, endsAt: from + 10 * HOUR, files: 9, sizesEstimated: 1 },
      ...{ leftBytes: 9e9, tasks: [], work: [{ from: from + 3 * HOUR, to: from + 10 * HOUR, bytes: 9e9 }] },
      outlook: OUTLOOK,
    }
    const forecast = { ...FORECAST, queues: [foretold] }
    const repeats = [{ id: 1, url: 'https://example.org/a/dump.gz?x=1', nextAt: from + 5 * HOUR }]
    const [first, second] = nightRows(queues, spans.queues, forecast, range)
    expect(first).toMatchObject({ always: true, bars: [{ from: 0, to: 1 }] })
    expect(second?.bars).toEqual([{ from: 3 / 24, to: 11 / 24 }])
    expect(second?.work).toEqual([{ from: 3 / 24, to: 10 / 24 }])
    expect(second?.deadlines).toEqual([10.5 / 24])
    expect(
      nightEvents(queues, spans, forecast, repeats, range).map(({ at, kind }) => [(at - from) / HOUR, kind]),
    ).toEqual([
      [1, 'profile'],
      [3, 'opens'],
      [5, 'repeat'],
      [10, 'done'],
      [10.5, 'deadline'],
      [11, 'closes'],
    ])
  })

  test('a stopped queue opens for nobody', () => {
    const stopped = { ...nights, stopped: true }
    expect(nightEvents([stopped], { queues: [queueSpans(stopped, range)], profiles: [] }, null, [], range)).toEqual([])
  })

  test('a profile that never says when it ends cannot hang it', () => {
    expect(profileSpans((at) => ({ name: 'day', by: 'hand', until: at }), { from: 0, to: 10 })).toEqual([
      { name: 'day', from: 0, to: 10 },
    ])
  })
})

test('with Alt rows move, with S they start', () => {
  const key = (pressed: string, change = {}) =>
    listCommand({ key: pressed, ctrl: false, shift: false, alt: false, ...change }, 1, 5, 3)
  expect(key('ArrowUp', { alt: true })).toEqual({ kind: 'reorder', place: 'up' })
  expect(key('End', { alt: true })).toEqual({ kind: 'reorder', place: 'last' })
  expect(key('ArrowUp', { alt: true, shift: true })).toBe(null)
  expect(key('s')).toEqual({ kind: 'force' })
})
