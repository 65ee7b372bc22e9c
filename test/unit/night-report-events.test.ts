/** What a report says of deadlines, hosts that refuse, repeating downloads and what was done when the work was over. */
import { expect, test } from 'vitest'
import { about, at, FAILURE, QUEUE, report, Script } from '../helpers/journal-script.ts'

test('what was said of a deadline is kept', () => {
  const said = { ...QUEUE, by: '07:00', files: 5, late: 2, lateBytes: '1 GB' } as const
  const script = new Script().begin().note('23:00', 'deadline', { ...said, outlook: 'misses' })
  script.note('23:00', 'adapted', { ...QUEUE, by: '07:00', shortestFirst: true, borrowsFrom: '“Other”' })
  script
    .note('23:30', 'deadline', { ...said, outlook: 'tight' })
    .note('23:50', 'deadline', { ...said, outlook: 'fits' })
  script.note('23:50', 'adapted', { ...QUEUE, by: '07:00', shortestFirst: false, borrowsFrom: '' })
  const texts = (queueId: number | null) => report(script, { queueId }).incidents.map(({ text }) => text)
  expect(texts(null)).toEqual([
    '“Night” was found not to be done by 07:00: 2 of 5 will be late (1 GB).',
    'So that as much as possible of “Night” is there by 07:00, the shortest downloads of “Night” come first, and “Other” do with less.',
    '“Night” was found to be just done by 07:00: anything slower makes it late.',
    '“Night” was found to be done by 07:00 after all, with some room.',
    'Nothing is done any more so that “Night” makes its time: all is as it was set.',
  ])
  // Another queue's report is not about it.
  expect(texts(3)).toEqual([])
})

test('a host that denied one download after the other is not said to have asked for fewer requests', () => {
  const script = new Script().begin().note('23:00', 'host_refused', { host: 'a.test', status: 403, until: null })
  expect(report(script.note('23:30', 'host_allowed', { host: 'a.test', complaints: 2 })).hosts[0]!.text).toBe(
    '“a.test” refused one download after the other (status 403); it was left alone for a while, 2 times.',
  )
})

const REPEAT = {
  ...{ repeatId: 7, name: 'dump.sql', url: 'https://a.test/dump.sql', queueId: 2, busy: false },
  ...{ deleted: [], kept: [], message: '', error: {} },
}
const NEXT = new Map<number, { queueId: number; nextAt: number | null }>([[7, { queueId: 2, nextAt: at('02:00') }]])

test('a run of a repeating download is one line, with what became of it and what comes next', () => {
  const run = { ...REPEAT, runAt: at('22:00') }
  const script = new Script().begin().note('22:00', 'repeated', { ...run, result: 'started' })
  const repeats = () => report(script, { repeats: NEXT }).repeats
  expect(repeats()).toMatchObject([
    { repeatId: 7, at: at('22:00'), result: 'started', nextAt: at('02:00'), text: 'Its download is under way.' },
  ])
  const went = { result: 'downloaded' as const, name: 'dump 25.sql', deleted: ['dump 20.sql'], kept: ['dump 21.sql'] }
  script.note('22:10', 'repeated', { ...run, ...went })
  script.note('23:00', 'repeated', { ...REPEAT, runAt: at('23:00'), name: 'dump 25.sql', result: 'unchanged' })
  script.note('23:10', 'repeated', {
    ...REPEAT,
    runAt: at('23:10'),
    name: 'dump 25.sql',
    result: 'same',
    deleted: ['x'],
  })
  script.note('23:20', 'repeated', { ...REPEAT, runAt: at('23:20'), result: 'failed' }, { code: 'not_found' })
  script.note('23:30', 'repeated', { ...REPEAT, runAt: at('23:30'), result: 'skipped', busy: true })
  script.note('23:40', 'repeated', { ...REPEAT, runAt: at('23:40'), result: 'skipped' })
  expect(repeats().map(({ text }) => text)).toEqual([
    'Downloaded as “dump 25.sql”. Only the latest are kept, so “dump 20.sql” went. “dump 21.sql” stayed: somebody has changed it since.',
    'The server says that it is still “dump 25.sql”; nothing was downloaded.',
    'Downloaded, found to be the same as “dump 25.sql”, and removed again.',
    'The file is not there (404). The next run tries it again, with what is here.',
    'Left out: the run before was still under way.',
    'Left out: its time was missed.',
  ])
  expect(report(script, { repeats: NEXT, queueId: 3 }).repeats).toEqual([])
})

test('the next run of what repeats is among what comes next; a paused one is not', () => {
  const repeats = new Map(NEXT).set(8, { queueId: 2, nextAt: at('01:00') }).set(9, { queueId: 3, nextAt: null })
  const { next } = report(new Script().begin(), { repeats })
  expect(next).toEqual([
    {
      ...{ code: 'repeat', at: at('01:00'), queueId: 2, count: 2 },
      text: '2 repeating downloads asked for again, and downloaded where changed.',
    },
  ])
})

test('what was done when the work was done, and how it ended', () => {
  const of = { workOf: 2, queue: 'Night' }
  const script = new Script().begin()
  script.note('23:00', 'command_ended', { ...of, program: '/bin/tidy', exitCode: 0, reason: '' })
  script.note('23:01', 'command_ended', { ...of, program: '/bin/tidy', exitCode: 3, reason: 'It ended with code 3.' })
  script.note('23:02', 'command_ended', { ...of, program: 'no', exitCode: null, reason: 'There is no such program.' })
  const all = { workOf: null, queue: null, origin: 'https://hook.test' }
  script.note('23:03', 'webhook_told', { ...all, status: 204, tries: 1, reason: '' })
  script.note('23:04', 'webhook_told', { ...all, status: 500, tries: 3, reason: 'It answered with status 500.' })
  script.note('23:05', 'webhook_told', { ...all, status: null, tries: 3, reason: 'It did not answer in time.' })
  expect(report(script).done.map(({ code, ok, text }) => [code, ok, text])).toEqual([
    ['command', true, '“/bin/tidy” was run for “Night” and ended with code 0.'],
    ['command', false, '“/bin/tidy” was run for “Night” and ended with code 3; what it wrote is in the log.'],
    ['command', false, '“no” could not be run for “Night”: There is no such program.'],
    ['webhook', true, 'https://hook.test was told of all queues and answered with status 204.'],
    ['webhook', false, 'https://hook.test was to be told of all queues and answered with status 500 (tries: 3).'],
    ['webhook', false, 'https://hook.test could not be told of all queues (tries: 3): It did not answer in time.'],
  ])
  expect(report(script, { queueId: 2 }).done).toHaveLength(3)
})

test('a try that was found to have failed of the network is told once, and of that', () => {
  const script = new Script().begin().start('22:00', 1).fail('22:01', 1, 'connect_refused', '22:02')
  const deferred = { ...about(1), ...FAILURE, bytes: 0, ms: 0, retryAt: at('22:30'), instead: true as const }
  script.note('22:01', 'deferred', deferred, { taskId: 1, code: 'network_away' })
  expect(report(script).retried).toMatchObject([{ times: 1, reasons: [{ code: 'network_away', times: 1 }] }])
  expect(report(script).totals.retries).toBe(1)
})

test('what waited for mains power is quiet for that, and told with the machine', () => {
  const script = new Script().begin('22:00').note('23:00', 'battery_waits', {}).note('23:30', 'battery_over', {})
  const made = report(script.note('23:30', 'queue_emptied', QUEUE), { range: { from: at('23:00'), to: at('23:40') } })
  expect(made.quiet).toMatchObject([{ from: at('23:00'), to: at('23:30'), reasons: [{ code: 'battery' }] }])
  expect(made.incidents).toMatchObject([
    {
      ...{ code: 'battery', from: at('23:00'), to: at('23:30') },
      text: 'The machine ran on battery for 30m, and downloads waited for mains power.',
    },
  ])
})

test('a run during which the clock was set back is as long as it took', () => {
  const script = new Script().begin().start('23:50', 1).note('23:10', 'clock_set_back', { ms: 3_600_000 })
  expect(report(script.finish('23:05', 1, { ms: 900_000 })).totals).toMatchObject({ activeMs: 900_000, finished: 1 })
})

test('battery and missing network last as long as they did, also where the clock was set back meanwhile', () => {
  const script = new Script().begin('22:00').note('23:30', 'battery_waits', {})
  script.note('23:40', 'network_away', { reason: 'no_host_answers' })
  script.note('22:50', 'clock_set_back', { ms: 3_600_000 })
  script.note('23:00', 'battery_over', {}).note('23:05', 'network_back', {})
  const lasted = report(script).incidents.map(({ code, params }) => [code, params.ms])
  expect(lasted).toContainEqual(['battery', 30 * 60_000])
  expect(lasted).toContainEqual(['network_away', 25 * 60_000])
})

test('complaints of a host are each counted once, also those that a killed engine could not tell of', () => {
  const refused = (complaints: number, total: number) => ({
    ...{ host: 'a.test', status: 429, until: null },
    ...{ complaints, total },
  })
  const script = new Script().begin('22:00').note('22:10', 'host_refused', refused(1, 5))
  // Two more came, and it was killed; the next one says what holds, and hears two more.
  script.begin('22:30').note('22:30', 'host_refused', refused(0, 7))
  script.note('22:50', 'host_allowed', { host: 'a.test', complaints: 2, total: 9 })
  expect(report(script).hosts).toMatchObject([{ complaints: 5, times: 1, from: at('22:10'), until: at('22:50') }])
  script.note('23:10', 'host_refused', refused(3, 12))
  script.note('23:30', 'host_allowed', { host: 'a.test', complaints: 4, total: 13 })
  expect(report(script).hosts).toMatchObject([{ complaints: 9, times: 2 }])
})
