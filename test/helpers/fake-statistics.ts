/** Statistics of the fake engine's world (fake-engine.ts): its hosts answered so many requests in the last day. */
import type { Contract } from '../../shared/contract.ts'
import { addSample, addTally, emptyTally, figuresOf, type Tally, totalsOf } from '../../shared/request-statistics.ts'
import type { Handlers } from '../../shared/rpc.ts'
import type { StatsSummary } from '../../shared/schemas.ts'

const HOUR_MS = 3_600_000
const HOURS = 24

type Handled = Pick<Handlers<Contract>, 'stats.summary' | 'stats.throughput' | 'stats.totals'>

export function fakeStatistics(hosts: readonly string[], now: () => number): Handled {
  return {
    'stats.summary': ({ from, host }) => {
      const begin = Math.floor(Math.max(from ?? 0, now() - HOURS * HOUR_MS) / HOUR_MS) * HOUR_MS
      return summaryOf(talliesOf(hosts, now()), { from: begin, to: begin + (HOURS + 1) * HOUR_MS, host })
    },
    'stats.throughput': ({ from, to, stepMs }) => {
      const begin = Math.floor(from / stepMs) * stepMs
      const steps = Array.from({ length: hosts.length === 0 ? 0 : Math.ceil((to - begin) / stepMs) }, (_, index) => {
        const at = begin + index * stepMs
        const share = Math.max(0, Math.sin(at / (5 * HOUR_MS)) + 0.3 * Math.sin(at / 900_000))
        return { at, bytes: Math.round(90e6 * share * (Math.min(stepMs, to - at) / 1000)) }
      })
      return { from: begin, stepMs, steps: steps.filter(({ bytes }) => bytes > 0) }
    },
    'stats.totals': () => {
      const tallies = talliesOf(hosts, now())
      const all = emptyTally()
      for (const tally of tallies.values()) addTally(all, tally)
      return { all: totalsOf(all), hosts: [...tallies].map(([host, tally]) => ({ host, ...totalsOf(tally) })) }
    },
  }
}

/** Most requests succeed, one in thirty fails, their times are spread. */
function talliesOf(hosts: readonly string[], now: number): Map<string, Tally> {
  return new Map(
    hosts.map((host, index) => {
      const tally = emptyTally()
      for (let request = 0; request < Math.max(1, 400 - index * 60); request++) {
        const spread = (request * 7919) % 997
        const failed = request % 30 === 7
        const refused = request % 60 === 7
        const fresh = request % 5 === 0
        addSample(tally, {
          host,
          method: 'GET',
          startedAt: now - request * 1000,
          queueMs: spread % 90 < 60 ? 0 : spread / 3,
          connectMs: fresh ? 12 + spread / 20 : null,
          tlsMs: fresh ? 25 + spread / 15 : null,
          firstByteMs: failed ? null : 30 + spread / 4,
          durationMs: 200 + spread * 9,
          bytes: failed ? 0 : 8_000_000,
          status: failed ? (refused ? 503 : null) : 206,
          errorCode: failed && !refused ? 'connection_reset' : null,
          reused: !fresh,
          httpVersion: '1.1',
        })
      }
      return [host, tally]
    }),
  )
}

function summaryOf(tallies: Map<string, Tally>, range: { from: number; to: number; host?: string }): StatsSummary {
  const shown = [...tallies].filter(([host]) => range.host === undefined || host === range.host)
  const all = emptyTally()
  for (const [, tally] of shown) addTally(all, tally)
  const { requests, succeeded, failed, bytes } = all
  return {
    from: range.from,
    to: range.to,
    requestsPerSecond: requests / ((range.to - range.from) / 1000),
    overall: figuresOf(all),
    hosts: shown.map(([host, tally]) => ({ host, ...figuresOf(tally) })),
    hours: requests === 0 ? [] : [{ at: range.from, spanMs: HOUR_MS, requests, succeeded, failed, bytes }],
  }
}
