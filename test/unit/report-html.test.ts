/** The report as a page: nothing that a name, a link or a message holds is ever markup, and nothing is loaded. */

import { SaxesParser } from 'saxes'
import { expect, test } from 'vitest'
import type { NightReport } from '../../shared/report.ts'
import { reportHtml } from '../../shared/report-html.ts'
import { fakeReports } from '../helpers/fake-reports.ts'
import fc from '../helpers/property.ts'

const NOW = Date.UTC(2026, 10, 26, 12, 30)
const made = (await fakeReports(6, () => NOW)['report.get']({ night: 'last' })) as NightReport

const HOSTILE = [
  '<script>alert(1)</script>',
  '"><img src=x onerror=alert(1)>',
  "' onmouseover='alert(1)",
  '</style></svg></table></title><iframe src="//evil.test">',
  '&lt;b&gt; &amp; ]]> <!-- <![CDATA[',
  '\u202etxt.exe\u2066\0\x1b[31m\ud800',
]

/** Every text of the report that comes from elsewhere, as `text` says. */
function withText(text: string): NightReport {
  const reason = { code: 'x', params: { p: text }, title: text, next: text, message: text }
  const item = { id: 1, name: text, url: text, queueId: 1 }
  const at = made.from
  return {
    ...made,
    ...{ summary: text, timeZone: 'UTC' },
    queues: [1, 2].map((queueId) => ({ ...made.queues[0]!, queueId, name: text, windows: [] })),
    finished: [{ ...item, at, bytes: 1, activeMs: 1, against: { algorithm: 'md5', source: 'user', from: text, text } }],
    failed: [{ ...item, at, reason, tries: 1 }],
    retried: [{ ...item, times: 1, reasons: [{ code: 'x', title: text, times: 1 }], outcome: 'open' }],
    changed: [{ ...item, at, reason, decision: null }],
    hosts: [{ host: text, from: at, until: null, status: null, complaints: 1, times: 1, text }],
    quiet: [{ from: at, to: at + 1, reasons: [{ code: 'silent', params: {}, ms: 1, text }] }],
    repeats: [
      {
        ...{ repeatId: 1, at, name: text, url: text, queueId: 1, result: 'failed', deleted: [text], kept: [text] },
        ...{ reason, nextAt: at, text },
      },
    ],
    done: [{ code: 'command', at, ok: false, params: { program: text }, text }],
    incidents: [{ code: 'slept', params: {}, from: at, to: at, text }],
    undone: [{ ...item, state: 'queued', sizeBytes: 1, writtenBytes: 0, reason, nextAt: at, text }],
    next: [{ code: 'now', at, queueId: 1, count: 1, text }],
  }
}

/** Elements in order with the names of their attributes, and all text. Throws where it is not well-formed. */
function read(page: string): { elements: string[]; text: string } {
  const elements: string[] = []
  let text = ''
  const parser = new SaxesParser()
  parser.on('opentag', ({ name, attributes }) => elements.push(`${name} ${Object.keys(attributes).join(' ')}`))
  parser.on('text', (part) => {
    text += part
  })
  parser.on('error', (error) => {
    throw error
  })
  parser.write(page).close()
  return { elements, text }
}

const HARMLESS = read(reportHtml(withText('harmless')))

test.each(HOSTILE)('%j stays text', (text) => {
  const page = read(reportHtml(withText(text)))
  expect(page.elements).toEqual(HARMLESS.elements)
  expect(page.text).toContain(text.toWellFormed().replace(/[\0\x1b\u202e\u2066]/g, ' '))
  expect(reportHtml(withText(text))).not.toMatch(/[\0\x1b\u202e\u2066]/)
})

test('whatever the text, the page has the same elements', () => {
  fc.assert(
    fc.property(fc.string({ unit: 'binary' }), (text) => {
      expect(read(reportHtml(withText(text))).elements).toEqual(HARMLESS.elements)
    }),
    { numRuns: 60 },
  )
})

test('the page runs nothing and loads nothing, and is readable by day and by night', () => {
  const page = reportHtml(made)
  const { elements, text } = read(page)
  const names = elements.map((element) => element.split(' ')[0])
  for (const name of ['script', 'img', 'link', 'iframe', 'object', 'a', 'form']) expect(names).not.toContain(name)
  expect(elements.join(' ')).not.toMatch(/\bon\w+|\bsrc\b|href/)
  expect(page).not.toMatch(/url\(|@import/)
  expect(page).toContain("default-src 'none'")
  expect(page).toContain('prefers-color-scheme: dark')
  expect(names).toContain('svg')
  for (const word of [
    'The night of 25 November 2026',
    'planet-5.osm.pbf',
    'nothing to verify against',
    'The file is not there (404)',
  ])
    expect(text).toContain(word)
})
