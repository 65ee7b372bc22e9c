/** What a report says of deadlines, hosts that refuse, repeating downloads and what was done when the work was over. */
import { expect, test } from 'vitest'
import { QUEUE, report, Script } from '../helpers/journal-script.ts'

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
