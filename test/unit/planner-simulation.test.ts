/** The planner over recorded lines, in virtual time: the same trace always takes the same time, so it can be asserted. */

import { describe, expect, it } from 'vitest'
import { split } from '../../electron/engine/segment-plan.ts'
import { BLOCK_BYTES as BLOCK } from '../../shared/records.ts'
import { readTrace, traceNames } from '../bench/simulate.ts'
import { simulate } from '../bench/simulation.ts'
import type { Trace, TraceConnection } from '../bench/traces.ts'
import fc from '../helpers/property.ts'

const play = (name: string) => simulate(readTrace(name))

describe('in virtual time', () => {
  it('eight connections of a server that caps each bring 7.5 times what one brings', async () => {
    const [one, eight] = await Promise.all([play('one-connection'), play('uniform')])
    expect(one.totalMs / eight.totalMs).toBeGreaterThanOrEqual(7.5)
    expect(one.usualBytesPerSecond * 7.5).toBeLessThanOrEqual(eight.usualBytesPerSecond)
    expect(eight.mostAtOnce).toBe(8)
  })

  it.each(['one-slow', 'slow-for-good', 'slow-at-the-end', 'stall-at-the-end'])(
    'a twentieth of the speed on one of eight connections (%s) costs at most 15 % of the time without it',
    async (name) => {
      const [without, slow] = await Promise.all([play('uniform'), play(name)])
      expect(slow.totalMs / without.totalMs).toBeLessThanOrEqual(1.15)
      expect(slow.tailMs).toBeLessThan(1_000)
    },
  )

  it('at 50 ms a round trip, 90 % of the final rate are reached within two seconds', async () => {
    const { rampMs, mostAtOnce } = await play('far-server')
    expect(rampMs).toBeLessThanOrEqual(2_000)
    expect(mostAtOnce).toBe(8)
  })

  it.each([
    ['fast-single', 2],
    // one more is tried now and then
    ['far-shared-line', 3],
  ])('where one connection fills the line (%s), hardly another one is opened', async (name, most) => {
    const { mostAtOnce, requests, reasons } = await play(name)
    expect(mostAtOnce).toBeLessThanOrEqual(most)
    expect(requests).toBeLessThanOrEqual(most + 1)
    expect(reasons).toContain('one_connection_enough')
  })

  it('a file that is done before another request could help takes one', async () => {
    const { requests, reasons } = await play('small')
    expect(requests).toBe(1)
    expect(reasons.at(-1)).toBe('small_file')
  })

  it('a host with one place keeps one connection, and says so', async () => {
    const { mostAtOnce, reasons } = await play('one-place')
    expect(mostAtOnce).toBe(1)
    expect(reasons.at(-1)).toBe('host_allowance')
  })

  it('a line that comes and goes is not mistaken for slow connections', async () => {
    const { requests, retries, totalMs } = await play('wifi')
    expect(retries).toBe(0)
    expect(requests).toBeLessThan(20)
    expect(totalMs).toBeLessThan(17_500)
  })

  it('a server that sends once a second is measured over more than one of its bursts', async () => {
    const { totalMs, mostAtOnce } = await play('bursts-by-second')
    expect(mostAtOnce).toBe(8)
    expect(totalMs).toBeLessThan((1.4 * 120_000_000) / 16_000)
  })

  it('where every connection is throttled with age, fresh ones take over', async () => {
    const { totalMs, reasons } = await play('burst-then-throttle')
    // the three that stay fast bring 12 MB/s
    expect(totalMs).toBeLessThan((1.15 * 100_000_000) / 12_000)
    expect(reasons).toContain('restarted')
  })

  const alone = { about: 'one block, which cannot be shared', sizeBytes: BLOCK, cap: 2, rttMs: 20 }
  const good: TraceConnection = { speeds: [[0, 2_000_000]] }

  it('a race ends when the owner recovers and is first', async () => {
    const recovers: TraceConnection = {
      speeds: [
        [0, 1_000_000],
        [300, 0],
        [4_500, 2_000_000],
      ],
    }
    const { totalMs, requests } = await simulate({ ...alone, connections: [recovers, { ...good, thinksMs: 10_000 }] })
    expect(requests).toBe(2)
    expect(totalMs).toBeLessThan(6_000)
  })

  it('a race whose request is not answered is left for another', async () => {
    const silent: TraceConnection = { ...good, stallsAfterBytes: 300_000 }
    const connections = [silent, { ...good, thinksMs: 60_000 }, good]
    const { totalMs, requests, retries } = await simulate({ ...alone, connections })
    expect(requests).toBe(3)
    expect(retries).toBe(0)
    expect(totalMs).toBeLessThan(15_000)
  })

  it('every trace ends, and brings hardly a byte twice', async () => {
    for (const name of traceNames()) {
      const trace = readTrace(name)
      expect((await simulate(trace)).surplusBytes, name).toBeLessThan(trace.sizeBytes / 50)
    }
  })
})

/** Rounds numbers, so that a failure can be read. */
const speeds = fc
  .array(
    fc.tuple(
      fc.nat(40).map((n) => n * 500),
      fc.constantFrom(0, 20_000, 300_000, 2_000_000, 9_000_000),
    ),
    {
      minLength: 1,
      maxLength: 4,
    },
  )
  .map((list) => [[0, 2_000_000] as [number, number], ...list].sort(([a], [b]) => a - b))
const connection: fc.Arbitrary<TraceConnection> = fc.record(
  {
    speeds,
    stallsAfterBytes: fc.nat(6_000_000),
    breaksAfterBytes: fc.integer({ min: 1, max: 6_000_000 }),
    thinksMs: fc.constantFrom(0, 30, 900, 9_000),
    refusedWith: fc.constant(503),
  },
  { requiredKeys: ['speeds'] },
)
const anyTrace: fc.Arbitrary<Trace> = fc.record(
  {
    about: fc.constant('made up'),
    sizeBytes: fc.integer({ min: 1, max: 30 * BLOCK }),
    cap: fc.integer({ min: 1, max: 9 }),
    rttMs: fc.constantFrom(0, 5, 50, 400),
    slowStart: fc.boolean(),
    places: fc.integer({ min: 1, max: 9 }),
    noRanges: fc.constant(true),
    connections: fc
      .array(connection, { maxLength: 12 })
      // those after them are good: otherwise nothing could end it
      .map((list) => [{ speeds: [[0, 2_000_000]] } as TraceConnection, ...list, { speeds: [[0, 1_000_000]] }]),
  },
  { requiredKeys: ['about', 'sizeBytes', 'cap', 'rttMs', 'connections'] },
)

describe('whatever servers do, in virtual time', () => {
  // The line throws where a byte has two writers, where too many connections are open, and where it never ends.
  it('a download ends with every byte written once by its owner', async () => {
    await fc.assert(
      fc.asyncProperty(anyTrace, async (trace) => {
        const { surplusBytes } = await simulate(trace)
        expect(surplusBytes).toBeGreaterThanOrEqual(0)
      }),
      { numRuns: 40 },
    )
  })

  it('a partial in many pieces is completed as well', async () => {
    await fc.assert(
      fc.asyncProperty(anyTrace, fc.array(fc.nat(29), { maxLength: 8 }), async (trace, cuts) => {
        const size = trace.sizeBytes + BLOCK
        let held = [{ start: 0, end: size as number | null, written: 1, durable: 0 }]
        for (const cut of [...new Set(cuts)].sort((a, b) => b - a))
          if (cut > 0 && cut * BLOCK < size) held = split(held, 0, cut * BLOCK)
        await simulate({ ...trace, sizeBytes: size, noRanges: false }, held)
      }),
      { numRuns: 40 },
    )
  })

  it('one that raced to the end while its owner stopped has its answer before it goes on', async () => {
    const trace: Trace = {
      about: 'the only other connection reads the last bytes while the owner writes its own',
      sizeBytes: 5 * BLOCK,
      cap: 2,
      rttMs: 0,
      connections: [
        { speeds: [[0, 2_000_000]] },
        {
          speeds: [
            [0, 2_000_000],
            [500, 0],
          ],
          breaksAfterBytes: 20_001,
        },
        {
          speeds: [
            [0, 2_000_000],
            [1500, 0],
          ],
          stallsAfterBytes: 1_008_576,
        },
        { speeds: [[0, 1_000_000]] },
      ],
    }
    const held = [{ start: 0, end: 5 * BLOCK, written: 1, durable: 0 }]
    await expect(simulate(trace, held)).resolves.toMatchObject({ retries: 0 })
  })
})
