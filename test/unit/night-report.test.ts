/** Each line of a report against the journal it was made of. */
import { describe, expect, test } from 'vitest'
import { downTimes } from '../../electron/engine/night-situation.ts'
import type { JournalEntry } from '../../shared/journal.ts'
import type { TaskRecord } from '../../shared/records.ts'
import type { NightReport } from '../../shared/report.ts'
import { about, at, FAILURE, MINUTE, minutes, QUEUE, RANGE, report, Script } from '../helpers/journal-script.ts'

const quietOf = ({ quiet }: NightReport) =>
  quiet.map(({ from, to, reasons }) => [time(from), time(to), ...reasons.map(({ code }) => code)])
const time = (moment: number) => new Date(moment).toISOString().slice(11, 16)

describe('what became of downloads', () => {
  test('finished ones: verified against what, or nothing to verify against', () => {
    const against = { algorithm: 'sha-256', source: 'sums-file', from: 'https://a.test/SHA256SUMS' } as const
    const made = report(
      new Script().begin().start('22:00', 1).finish('22:10', 1, { against }).start('22:00', 2).finish('22:20', 2),
    )
    expect(made.totals).toMatchObject({ finished: 2, verified: 1, unverified: 1, failed: 0 })
    expect(made.finished).toMatchObject([
      { id: 1, name: '1.bin', at: at('22:10'), bytes: 1000, against: { ...against, text: expect.any(String) } },
      { id: 2, against: null },
    ])
    expect(made.finished[0]!.against!.text).toBe('sha-256 as given by a file of checksums beside it')
  })

  test('failed ones: the words for the code, the engine’s sentence, the next step', () => {
    const made = report(new Script().begin().start('22:00', 1).giveUp('22:01', 1, 'http_status', { status: 418 }))
    expect(made.failed).toMatchObject([
      {
        ...{ id: 1, at: at('22:01'), tries: 3 },
        reason: {
          ...{ code: 'http_status', title: 'The server refused (status 418)', message: 'It went wrong.' },
          next: 'Check the link, then retry.',
        },
      },
    ])
  })

  test('one that failed and was tried again by hand did what it did last', () => {
    const script = new Script().begin().start('22:00', 1).giveUp('22:01', 1, 'not_found')
    expect(report(script).totals).toMatchObject({ failed: 1, finished: 0 })
    script.note('22:05', 'resumed', about(1), { taskId: 1, code: 'not_found' }).start('22:05', 1).finish('22:06', 1)
    expect(report(script).totals).toMatchObject({ failed: 0, finished: 1 })
  })

  test('one that was excused because the network was away did not fail', () => {
    const script = new Script().begin().start('22:00', 1).giveUp('22:01', 1, 'dns_not_found')
    const deferred = { ...about(1), ...FAILURE, retryAt: at('22:30') }
    script.note('22:02', 'deferred', deferred, { taskId: 1, code: 'network_away' })
    expect(report(script)).toMatchObject({ failed: [], retried: [{ outcome: 'open', times: 1 }] })
  })

  test('tries that were followed by another one, by reason, with how it ended', () => {
    const script = new Script().begin()
    for (const minute of [10, 20, 30])
      script.start(`22:${minute}`, 1).fail(`22:${minute + 5}`, 1, 'stalled', `22:${minute + 9}`)
    script.start('22:40', 1).fail('22:41', 1, 'connection_reset', '22:42').start('22:42', 1).finish('22:50', 1)
    const made = report(script.start('22:00', 2).fail('22:01', 2, 'stalled', '22:02'))
    expect(made.totals).toMatchObject({ retried: 2, retries: 5 })
    expect(made.retried).toMatchObject([
      {
        ...{ id: 1, times: 4, outcome: 'finished' },
        reasons: [
          { code: 'stalled', times: 3 },
          { code: 'connection_reset', times: 1 },
        ],
      },
      { id: 2, times: 1, outcome: 'open' },
    ])
  })

  test('changed remote files, and what was decided', () => {
    const changed = { ...about(1), ...FAILURE }
    const script = new Script().begin().note('22:00', 'changed', changed, { taskId: 1, code: 'remote_changed' })
    expect(report(script).changed).toMatchObject([{ id: 1, decision: null, reason: { code: 'remote_changed' } }])
    script.note('22:10', 'decided', { ...about(1), decision: 'restart' }, { taskId: 1 })
    expect(report(script).changed).toMatchObject([{ decision: 'restart' }])
  })

  test('a finished file that was found damaged is not finished until it is again', () => {
    const damaged = { ...about(1), message: 'Bytes differ.', error: {} }
    const script = new Script().begin().finish('22:00', 1).note('22:10', 'damaged', damaged, { taskId: 1 })
    expect(report(script).totals.finished).toBe(0)
    expect(report(script.finish('22:20', 1)).totals.finished).toBe(1)
  })

  test('nothing of the night before or the night after is told', () => {
    const script = new Script().begin()
    script.entries.push({ ...script.entries[0]!, at: RANGE.from - 100 })
    script.finish('12:00', 1)
    for (const entry of script.entries) if (entry.kind === 'finished') entry.at = RANGE.from - 1
    script.entries.sort((a, b) => a.at - b.at)
    expect(report(script).totals.finished).toBe(0)
  })
})

describe('figures', () => {
  test('bytes are those of the minutes; at work is when a download ran, however many; the rate is over that', () => {
    const script = new Script().begin().start('22:00', 1).start('22:05', 2).finish('22:10', 1).finish('22:20', 2)
    const made = report(script.start('23:00', 3).finish('23:10', 3), { minutes: minutes(['22:00', '22:20', 3000]) })
    expect(made.totals).toMatchObject({ receivedBytes: 60_000, activeMs: 30 * MINUTE })
    expect(made.totals.bytesPerSecond).toBeCloseTo(60_000 / 1800)
  })

  test('a run that began before the night counts from its beginning on; sleep does not count', () => {
    const script = new Script().begin('12:00').finish('12:30', 1, { ms: 100 * MINUTE })
    expect(report(script).totals.activeMs).toBe(30 * MINUTE)
    const slept = new Script()
      .begin()
      .start('22:00', 1)
      .note('23:00', 'slept', { ms: 40 * MINUTE })
      .finish('23:10', 1)
    expect(report(slept).totals.activeMs).toBe(30 * MINUTE)
  })

  test('a run that a crash ended lasted until the last sign of life', () => {
    const script = new Script()
      .note('12:00', 'engine_started', { version: '1', aliveAt: at('22:30') })
      .start('22:00', 1)
      .note('23:00', 'engine_started', { version: '1', aliveAt: at('23:00') })
    const made = report(script)
    expect(made.totals.activeMs).toBe(30 * MINUTE)
    expect(made.incidents).toMatchObject([{ code: 'crashed', from: at('22:30'), to: at('23:00') }])
  })

  test('where bytes are not kept by minute, those of runs are added up, and nothing is said of quiet', () => {
    const script = new Script().begin().start('22:00', 1).finish('22:10', 1)
    const made = report(script, { minutes: null, queueMinutes: null })
    expect(made).toMatchObject({ graph: null, quiet: [], totals: { receivedBytes: 1000, quietMs: 0 } })
  })

  test('each queue has its own', () => {
    const script = new Script().begin().note('21:00', 'added', { queueId: 3, count: 4, startAt: null })
    script.start('22:00', 1).finish('22:10', 1).start('22:00', 2, 3).finish('22:20', 2, { queueId: 3 })
    const queueMinutes = [
      { queueId: 2, at: at('22:00'), bytes: 5 },
      { queueId: 3, at: at('22:01'), bytes: 7 },
    ]
    const made = report(script, { minutes: queueMinutes, queueMinutes })
    expect(made.totals).toMatchObject({ added: 4, finished: 2, receivedBytes: 12, activeMs: 20 * MINUTE })
    expect(made.queues).toMatchObject([
      { name: 'Night', totals: { added: 0, finished: 1, receivedBytes: 5, activeMs: 10 * MINUTE } },
      { name: 'Other', totals: { added: 4, finished: 1, receivedBytes: 7, activeMs: 20 * MINUTE } },
    ])
    const one = report(script, { minutes: queueMinutes, queueMinutes, queueId: 3 })
    expect(one).toMatchObject({
      totals: { finished: 1, receivedBytes: 7 },
      finished: [{ id: 2 }],
      queues: [{ queueId: 3 }],
    })
    expect(one.graph!.steps).toEqual([{ at: at('22:00'), bytes: 7 }])
  })

  test('the graph adds up to all bytes, in so few steps that they can be drawn', () => {
    const { graph } = report(new Script().begin(), { minutes: minutes(['13:00', '23:00', 60]) })
    expect(graph!.stepMs % MINUTE).toBe(0)
    expect(graph!.steps.length).toBeLessThanOrEqual(300)
    expect(graph!.steps.reduce((sum, { bytes }) => sum + bytes, 0)).toBe(600 * 60)
  })
})

describe('quiet times', () => {
  const busy = (...spans: [string, string][]) => ({ minutes: minutes(...spans) })

  test('a closed window, until it opens', () => {
    const script = new Script().note('12:00', 'engine_started', { version: '1', aliveAt: at('12:00') })
    script
      .note('12:00', 'window_closed', QUEUE)
      .note('20:00', 'queue_filled', QUEUE)
      .note('22:00', 'window_opened', QUEUE)
    const made = report(script.start('22:00', 1).note('07:00', 'queue_emptied', QUEUE), busy(['22:00', '07:00']))
    expect(quietOf(made)).toEqual([['20:00', '22:00', 'window_closed']])
    expect(made.quiet[0]!.reasons[0]!.text).toBe('The window was closed: Night.')
    expect(made.queues[0]!.windows).toEqual([{ from: at('22:00'), to: RANGE.to }])
    expect(made.totals.quietMs).toBe(120 * MINUTE)
  })

  test('nothing is quiet while nothing is wanted', () => {
    const script = new Script().begin().note('12:00', 'queue_emptied', QUEUE)
    expect(report(script).quiet).toEqual([])
  })

  test('away network, stopped queue, disk, refusing host, retries, start to come, decision, silence, no place', () => {
    const script = new Script().begin()
    const done = (from: string) => script.note(from, 'queue_emptied', QUEUE).note(from, 'queue_filled', QUEUE)
    script.note('13:00', 'network_away', { reason: 'no_host_answers' }).note('13:30', 'network_back', {})
    script.note('14:00', 'queue_stopped', QUEUE).note('14:30', 'queue_started', QUEUE)
    script.note('15:00', 'queue_emptied', QUEUE)
    script.note('15:00', 'suspended', { ...about(1), ...FAILURE }, { taskId: 1, code: 'disk_full' })
    script.note('15:30', 'mended', about(1), { taskId: 1 }).note('15:30', 'queue_filled', QUEUE)
    script.note('16:00', 'host_refused', { host: 'a.test', status: 429, until: null }).start('16:00', 2)
    script.note('16:30', 'host_allowed', { host: 'a.test', complaints: 7 })
    script.note('16:30', 'left', { ...about(2), bytes: 0, ms: 0 }, { taskId: 2 })
    script.start('17:00', 3).fail('17:00', 3, 'connect_timeout', '17:30')
    done('18:00')
      .start('18:00', 4)
      .note('18:30', 'left', { ...about(4), bytes: 0, ms: 0 }, { taskId: 4 })
    script.note('19:00', 'queue_emptied', QUEUE).note('19:00', 'changed', { ...about(5), ...FAILURE }, { taskId: 5 })
    script.note('19:30', 'decided', { ...about(5), decision: 'keep' }, { taskId: 5 })
    script.note('20:00', 'added', { queueId: 2, count: 1, startAt: at('20:30') }).note('20:00', 'queue_filled', QUEUE)
    script.note('21:30', 'queue_emptied', QUEUE)
    const gaps = ['13', '14', '15', '16', '17', '18', '19', '20'].map((hour): [string, string] => [
      `${hour}:30`,
      `${Number(hour) + 1}:00`,
    ])
    const made = report(script, busy(['12:00', '13:00'], ...gaps))
    expect(quietOf(made)).toEqual([
      ['13:00', '13:30', 'network_away'],
      ['14:00', '14:30', 'queue_stopped'],
      ['15:00', '15:30', 'disk'],
      ['16:00', '16:30', 'host_refused'],
      ['17:00', '17:30', 'waiting_to_retry'],
      ['18:00', '18:30', 'silent'],
      ['19:00', '19:30', 'waiting_for_decision'],
      ['20:00', '20:30', 'not_due'],
      ['21:00', '21:30', 'no_place'],
    ])
    const [away, , disk, , retry] = made.quiet.map(({ reasons }) => reasons[0]!.text)
    expect(away).toBe('There was no network: no host answered any more.')
    expect(disk).toBe('The disk held up 1 download (The disk is full).')
    expect(retry).toBe('1 download waited to try again (The server did not answer).')
    expect(made.hosts).toMatchObject([
      { host: 'a.test', status: 429, complaints: 7, from: at('16:00'), until: at('16:30') },
    ])
  })

  test('Nighthaul that was ended, and one that crashed; sleep; a clock that was set back', () => {
    const script = new Script().begin().note('13:00', 'engine_stopped', {}).begin('13:30')
    script.note('14:30', 'slept', { ms: 30 * MINUTE }).note('14:40', 'clock_set_back', { ms: 5 * MINUTE })
    // Killed at 15:00: its last sign of life is in its start.
    Object.assign(script.entries[3]!.params, { aliveAt: at('15:00') })
    script.begin('15:30').note('15:30', 'queue_emptied', QUEUE)
    const made = report(script, busy(['12:00', '13:00'], ['13:30', '14:00'], ['14:30', '15:00']))
    expect(quietOf(made)).toEqual([
      ['13:00', '13:30', 'not_running'],
      ['14:00', '14:30', 'asleep'],
      ['15:00', '15:30', 'crashed'],
    ])
    expect(made.incidents.map(({ code }) => code)).toEqual(['stopped', 'slept', 'clock_set_back', 'crashed'])
  })

  test('reasons that follow each other within a minute share a line', () => {
    const script = new Script().begin()
    for (let n = 0; n < 30; n++) {
      const [minute, second] = [Math.floor((n * 20) / 60), (n * 20) % 60]
      const from = `22:0${minute}:${second}`
      script.start(from, 1).fail(`22:0${minute}:${second + 5}`, 1, 'stalled', `22:0${minute}:${second + 19}`)
    }
    script.note('22:10', 'queue_emptied', QUEUE)
    const made = report(script, busy(['12:00', '22:00']))
    expect(quietOf(made)).toEqual([['22:00', '22:10', 'waiting_to_retry', 'silent']])
    expect(made.quiet[0]!.reasons.reduce((sum, { ms }) => sum + ms, 0)).toBe(10 * MINUTE)
  })

  test('a night that is not over is quiet until now only', () => {
    const made = report(new Script().begin(), { now: at('14:00') })
    expect(quietOf(made)).toEqual([['12:00', '14:00', 'no_place']])
    expect(made.complete).toBe(false)
  })
})

describe('what is left', () => {
  const task = (id: number, more: Partial<TaskRecord>) =>
    ({
      ...{ id, url: `https://u:p@a.test/${id}.bin?sig=s`, filename: null, requestedFilename: null, queueId: 2 },
      ...{ state: 'queued', sizeBytes: null, writtenBytes: 0, error: null, retryAt: null, forced: false, ...more },
    }) as TaskRecord
  const error = (code: 'stalled' | 'disk_full' | 'not_found' | 'too_many_requests') => ({
    error: { code, message: 'm', params: {} },
  })

  test('is told with what happens to it, the soonest first', () => {
    const undone = [
      task(1, { queueId: 3 }),
      task(2, { state: 'waiting', retryAt: at('23:00'), ...error('stalled') }),
      task(3, { state: 'waiting', retryAt: at('22:30'), ...error('too_many_requests') }),
      task(4, { state: 'waiting', retryAt: at('23:30') }),
      task(5, { state: 'paused', ...error('disk_full') }),
      task(6, { state: 'failed', ...error('not_found') }),
      task(7, { state: 'active', writtenBytes: 5, sizeBytes: 10 }),
      task(8, { state: 'changed', ...error('not_found') }),
      task(9, { state: 'paused' }),
      task(10, { queueId: 3, forced: true }),
    ]
    const made = report(new Script().begin(), {
      ...{
        undone,
        undoneByQueue: new Map([
          [2, 8],
          [3, 2],
        ]),
        now: at('22:00'),
      },
      queues: [
        { id: 2, name: 'Night', hold: null, changesAt: null },
        { id: 3, name: 'Other', hold: 'window', changesAt: at('01:00') },
      ],
    })
    expect(made.totals.undone).toBe(10)
    expect(made.undone[0]!.text).not.toMatch(/\bthe(ir|m)\b|\bdownloads?\b/)
    expect(made.undone[0]).toMatchObject({ name: '1.bin', url: 'https://a.test/1.bin?…', nextAt: at('01:00') })
    expect(
      made.next.map(({ code, at: moment, queueId, count }) => [code, moment && time(moment), queueId, count]),
    ).toEqual([
      ['now', null, 2, 1],
      ['now', null, 3, 1],
      ['host', '22:30', 2, 1],
      ['retry', '23:00', 2, 1],
      ['start', '23:30', 2, 1],
      ['window', '01:00', 3, 1],
      ['disk', null, 2, 1],
      ['failed', null, 2, 1],
      ['decision', null, 2, 1],
      ['paused', null, 2, 1],
    ])
    for (const { count, text } of made.next) if (count === 1) expect(text).not.toMatch(/\bthe(ir|m|mselves)\b/)
    expect(made.next[5]!.text).toBe('1 download when the window of “Other” opens.')
  })
})

test('a crash after the clock was set back is told from then, not from the later times before', () => {
  const entry = (id: number, clock: string, kind: string, params: object) =>
    ({ id, at: at(clock), kind, params, taskId: null, code: null }) as unknown as JournalEntry
  const entries = [
    entry(1, '22:00', 'engine_started', { version: '1', aliveAt: at('22:40') }),
    entry(2, '23:30', 'resumed', {}),
    entry(3, '22:35', 'clock_set_back', { ms: 3_600_000 }),
    entry(4, '22:50', 'engine_started', { version: '1', aliveAt: at('23:40') }),
  ]
  const byTime = entries.toSorted((a, b) => a.at - b.at)
  expect(downTimes(byTime, at('23:40'), true)).toEqual([
    { code: 'not_running', from: Number.NEGATIVE_INFINITY, to: at('22:00') },
    { code: 'crashed', from: at('22:40'), to: at('22:50') },
  ])
})
