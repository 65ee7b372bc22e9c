/** Repeating downloads in the window: the form of their dialog. */
import { expect, test } from 'vitest'
import { readRepeatForm, toRepeatForm } from '../../renderer/features/schedule/repeat-form.ts'
import { AddRepeatInput, DEFAULT_REPEAT, RepeatPatch, type RepeatView } from '../../shared/repeats.ts'

const STORED: RepeatView = {
  ...DEFAULT_REPEAT,
  ...{ id: 3, url: 'https://example.org/dump.gz', when: 'Mon-Fri 02:00, Sat 12:00', keepLast: 7, missed: 'ask' },
  ...{ timeZone: 'Europe/Berlin', folder: '/d', queueId: 2, nextAt: 1, askedUntil: null, taskId: null, runs: 4 },
  last: null,
  results: [],
}

test('a repeating download that was left alone says nothing; what was typed is read and can be sent', () => {
  const form = toRepeatForm(STORED, null)
  expect(readRepeatForm(form, STORED)).toMatchObject({ patch: {}, problems: {} })
  const typed = { ...form, when: 'daily 3:05', keepLast: ' ', timeZone: '', nameTemplate: ' {name}{ext} ' }
  const { patch, problems } = readRepeatForm(typed, STORED)
  expect(problems).toEqual({})
  expect(patch).toEqual({ when: 'daily 03:05', keepLast: null, timeZone: null, nameTemplate: '{name}{ext}' })
  expect(RepeatPatch.parse(patch)).toEqual(patch)
})

test('a new one begins with what was typed for one download, every night', () => {
  const seed = { url: 'https://example.org/a.iso', folder: ' /d ', queueId: 5, options: { connections: 2 } }
  const { said, problems } = readRepeatForm(toRepeatForm(null, seed), null)
  expect(problems).toEqual({})
  expect(AddRepeatInput.parse(said)).toMatchObject({
    url: 'https://example.org/a.iso',
    ...{ folder: '/d', queueId: 5, when: 'daily 02:00', keepLast: null },
  })
  expect(readRepeatForm(toRepeatForm(null, null), null).problems).toEqual({ url: true })
})

test('what cannot be is told of each field', () => {
  const form = toRepeatForm(STORED, null)
  const wrong = { ...form, url: 'ftp://x/y', when: 'Mon', timeZone: 'nowhere', nameTemplate: '{year}', keepLast: '0' }
  expect(Object.keys(readRepeatForm(wrong, STORED).problems).sort()).toEqual(
    ['keepLast', 'nameTemplate', 'timeZone', 'url', 'when'].sort(),
  )
  expect(readRepeatForm({ ...form, when: '' }, STORED).problems.when).toBe('empty')
  for (const keepLast of ['1001', '1.5', 'x'])
    expect(readRepeatForm({ ...form, keepLast }, STORED).problems).toEqual({ keepLast: true })
})
