import { expect, test } from 'vitest'
import { statsLines } from '../../electron/cli/stats-lines.ts'
import { addSample, emptyTally, figuresOf, type RequestSample } from '../../shared/request-statistics.ts'
import type { StatsSummary } from '../../shared/schemas.ts'

function summaryOf(samples: readonly Partial<RequestSample>[], hosts = ['a.test']): StatsSummary {
  const tally = emptyTally()
  const whole = { host: '', method: 'GET', startedAt: 0, queueMs: 0, connectMs: null, tlsMs: null, firstByteMs: 50 }
  for (const sample of samples)
    addSample(tally, {
      ...{
        ...whole,
        durationMs: 100,
        bytes: 1_000_000,
        status: 206,
        errorCode: null,
        reused: true,
        httpVersion: '1.1',
      },
      ...sample,
    })
  const overall = figuresOf(tally)
  return {
    from: Date.UTC(2026, 10, 22, 21),
    to: Date.UTC(2026, 10, 23, 21),
    requestsPerSecond: 0.125,
    overall,
    hosts: hosts.map((host) => ({ host, ...overall })),
    hours: [],
  }
}

test('the figures of requests are a table, the most frequent first, without what did not happen', () => {
  const samples = [...Array(8).fill({}), { status: 503 }, { status: 503 }, { status: null, errorCode: 'stalled' }]
  expect(
    statsLines(summaryOf([...samples, { status: null, firstByteMs: null }], ['a.test:8080', '*'])).join('\n'),
  ).toBe(
    `
Since          2026-11-22T21:00:00.000Z
Requests       12, 72.7% succeeded, 3 failed, 1 stopped
Rate           0.125/s
Received       12.0 MB
Connections    100% of requests found one open

                  AVERAGE    MEDIAN       P95       P99
Queueing              0ms    0.06ms    0.06ms    0.06ms
First byte           50ms      50ms      50ms      50ms
Duration            100ms     100ms     100ms     100ms

Statuses       206 × 8, 503 × 2
Errors         stalled × 1

  REQUESTS        OK  RECEIVED   AVERAGE    MEDIAN       P95       P99    REUSED  HOST
        12     72.7%   12.0 MB     100ms     100ms     100ms     100ms      100%  a.test:8080
        12     72.7%   12.0 MB     100ms     100ms     100ms     100ms      100%  (other hosts)`.trimStart(),
  )
})

test('nothing that a server named can steer the terminal', () => {
  expect(statsLines(summaryOf([{}], ['\u001b[2Jevil.test'])).join('\n')).not.toContain('\u001b')
})
