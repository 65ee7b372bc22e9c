/** The comparison of ways to fetch one URL, against real servers: what it sends, what it says, when it stops. */
import { describe, expect, test } from 'vitest'
import { openHttpClient } from '../../electron/cli/network.ts'
import {
  type ComparisonEvent,
  type ComparisonInput,
  compareStrategies,
} from '../../electron/engine/compare-strategies.ts'
import type { Clock } from '../../electron/engine/ports.ts'
import { realClock } from '../helpers/engine.ts'
import { faults, startFaultServer } from '../helpers/fault-server.ts'

const MIB = 1_048_576

/** Compares and hears everything; `error` is what ended it. */
async function compare(url: string, change: Partial<ComparisonInput> = {}, clock: Clock = realClock) {
  const client = openHttpClient()
  const events: ComparisonEvent[] = []
  const signal = new AbortController().signal
  const input = { url, options: {}, maxBytes: 32 * MIB, maxMs: 60_000, signal, ...change }
  try {
    const deps = { client, clock, userAgent: 'Nighthaul/test', timeoutMs: 5000 }
    const totals = await compareStrategies(input, deps, (event) => events.push(event))
    return { events, totals, error: null }
  } catch (error) {
    return { events, totals: null, error }
  } finally {
    await client.close()
  }
}

const measured = (events: readonly ComparisonEvent[]) =>
  events.flatMap((event) => (event.kind === 'measured' ? [`${event.result.strategy} ${event.result.connections}`] : []))
const skipped = (events: readonly ComparisonEvent[]) =>
  events.flatMap((event) => (event.kind === 'skipped' ? [event.skip] : []))

describe('over http', () => {
  test('every way opens the connections that its name says, and asks for no more than was announced', async () => {
    await using server = await startFaultServer()
    server.add('/file', { size: 6 * MIB, seed: 1 })
    const { events, totals } = await compare(server.url('/file'))
    expect(measured(events)).toEqual([
      'fresh 1',
      'keep_alive 1',
      'parallel 8',
      'segments 1',
      'segments 2',
      'segments 4',
      'segments 8',
    ])
    expect(skipped(events)).toEqual([
      { group: 'small', strategy: 'http2', reason: 'not_https' },
      { group: 'large', strategy: 'http2', reason: 'not_https' },
    ])
    const [planned] = events
    if (planned?.kind !== 'planned') throw new Error('the plan came late')
    expect(server.requests).toHaveLength(planned.plan.requests)
    expect(totals).toMatchObject({ requests: planned.plan.requests, bytes: planned.plan.bytes })
    expect(planned.plan.bytes).toBeLessThanOrEqual(32 * MIB)
    expect(planned.plan.connections).toBe(8)
    // one for the first request, 16 fresh ones, one kept, 8 kept, and 1 + 2 + 4 + 8
    expect(server.connections.total).toBe(1 + 16 + 1 + 8 + 15)
  })

  test('a server without ranges is measured with one connection, cut where the limit is', async () => {
    await using server = await startFaultServer()
    server.add('/file', { size: 40 * MIB, seed: 1 })
    server.fault('/file', () => faults.ignoreRange())
    const { events, totals } = await compare(server.url('/file'), { maxBytes: 2 * MIB })
    expect(measured(events)).toEqual(['segments 1'])
    expect(skipped(events)).toContainEqual({ group: 'small', strategy: null, reason: 'no_ranges' })
    expect(skipped(events)).toContainEqual({ group: 'large', strategy: 'segments', reason: 'no_ranges' })
    expect(server.requests).toHaveLength(2)
    expect(totals!.bytes).toBeLessThan(2.2 * MIB)
  })

  test('a redirect is followed once, and credentials stay where they belong', async () => {
    await using server = await startFaultServer()
    await using other = await startFaultServer()
    other.add('/file', { size: 2 * MIB, seed: 1 })
    server.fault('/link', () => faults.redirect(other.url('/file')))
    const { error } = await compare(server.url('/link'), { options: { user: 'me', password: 'secret' } })
    expect(error).toBeNull()
    expect(server.requests.map((request) => request.headers.authorization)).toEqual(['Basic bWU6c2VjcmV0'])
    expect(other.requests.length).toBeGreaterThan(10)
    expect(other.requests.every((request) => request.headers.authorization === undefined)).toBe(true)
  })
})

describe('it stops', () => {
  test('at once when the server asks to be left alone, and says for how long', async () => {
    await using server = await startFaultServer()
    server.add('/file', { size: 6 * MIB, seed: 1 })
    server.fault('/file', (_request, index) => (index === 20 ? faults.retryAfter(120) : null))
    const { events, error } = await compare(server.url('/file'))
    expect(error).toMatchObject({ code: 'too_many_requests', params: { status: 429, retryAfterMs: 120_000 } })
    expect(measured(events)).toEqual(['fresh 1'])
    expect(server.requests).toHaveLength(21)
  })

  test.each([
    [503, 'server_error'],
    [404, 'not_found'],
  ])('at a first reply of %i, with nothing planned', async (status, code) => {
    await using server = await startFaultServer()
    server.fault('/file', () => faults.status(status))
    const { events, error } = await compare(server.url('/file'))
    expect(error).toMatchObject({ code })
    expect(events).toEqual([])
    expect(server.requests).toHaveLength(1)
  })

  test('at a reply with other bytes than were asked for', async () => {
    await using server = await startFaultServer()
    server.add('/file', { size: 6 * MIB, seed: 1 })
    server.fault('/file', (_request, index) => (index === 1 ? faults.wrongContentRange({ shift: 7 }) : null))
    expect((await compare(server.url('/file'))).error).toMatchObject({ code: 'range_mismatch' })
    expect(server.requests).toHaveLength(2)
  })

  test('when the time is over: what was cut off is counted, what did not begin is left out', async () => {
    await using server = await startFaultServer()
    server.add('/file', { size: 6 * MIB, seed: 1 })
    server.fault('/file', (_request, index) => (index === 0 ? null : faults.silent()))
    const { events, error } = await compare(server.url('/file'), { maxMs: 400 })
    expect(error).toBeNull()
    expect(measured(events)).toEqual([])
    expect(skipped(events).filter(({ reason }) => reason === 'time_limit')).toHaveLength(7)
  })

  test('when it is interrupted', async () => {
    await using server = await startFaultServer()
    server.add('/file', { size: 6 * MIB, seed: 1 })
    const abort = new AbortController()
    server.fault('/file', (_request, index) => {
      if (index === 3) abort.abort(new Error('enough of this'))
      return null
    })
    const { error } = await compare(server.url('/file'), { signal: abort.signal })
    expect(error).toMatchObject({ message: 'enough of this' })
    expect(server.requests).toHaveLength(4)
  })
})

describe('over https', () => {
  test('HTTP/2 takes one connection for all requests where it is offered', async () => {
    await using server = await startFaultServer({ http2: true })
    server.add('/file', { size: 6 * MIB, seed: 1 })
    const { events, error } = await compare(server.url('/file'), {
      options: { caPem: server.caPem, user: 'me', password: '' },
    })
    expect(error).toBeNull()
    expect(measured(events)).toEqual([
      'fresh 1',
      'keep_alive 1',
      'parallel 8',
      'http2 1',
      'segments 1',
      'segments 2',
      'segments 4',
      'segments 8',
      'http2 1',
    ])
    const versions = (version: string) => server.requests.filter(({ httpVersion }) => httpVersion === version).length
    expect(versions('2')).toBe(16 + 1)
    expect(server.connections.total).toBe(1 + 16 + 1 + 8 + 1 + 15 + 1)
    expect(server.requests.every(({ headers }) => headers.authorization === 'Basic bWU6')).toBe(true)
  })

  test('HTTP/2 is left out where it is not offered, without a request', async () => {
    await using server = await startFaultServer({ tls: true })
    server.add('/file', { size: 6 * MIB, seed: 1 })
    const { events, error } = await compare(server.url('/file'), { options: { caPem: server.caPem } })
    expect(error).toBeNull()
    expect(skipped(events)).toEqual([
      { group: 'small', strategy: 'http2', reason: 'http2_not_offered' },
      { group: 'large', strategy: 'http2', reason: 'http2_not_offered' },
    ])
    expect(server.requests).toHaveLength(1 + 3 * 16 + 15)
  })

  test('a certificate that nobody vouches for ends it', async () => {
    await using server = await startFaultServer({ http2: true })
    expect((await compare(server.url('/file'))).error).toMatchObject({ code: 'tls_failed' })
    expect(server.requests).toHaveLength(0)
  })
})
