/**
 * Places per host: never too many, in turn, and given back whatever happens.
 * Long because: a model of places, and one test for each thing a host may ask for.
 */

import { describe, expect, it } from 'vitest'
import { HostController, type Slot, type SlotHolder } from '../../electron/engine/host-controller.ts'
import { HostQuiet } from '../../electron/engine/host-refusals.ts'
import type { HostLimits } from '../../electron/engine/host-rules.ts'
import { NighthaulError } from '../../shared/errors.ts'
import { createManualClock } from '../helpers/manual-clock.ts'
import fc from '../helpers/property.ts'

const HOST = 'files.test'
const never = new AbortController().signal
const stubborn: SlotHolder = { shed: () => false }
const settle = async () => {
  for (let turn = 0; turn < 3; turn++) await Promise.resolve()
}

function controller(connections: number, requestsPerSecond: number | null = null) {
  const clock = createManualClock()
  let limits: HostLimits = { connections, requestsPerSecond, spacingMs: null, limitBytesPerSecond: null }
  const hosts = new HostController(clock, () => limits)
  const setLimits = (change: Partial<HostLimits>) => {
    limits = { ...limits, ...change }
    hosts.limitsChanged()
  }
  return { clock, hosts, setLimits }
}

// ── against a model ──

interface Model {
  limit: number
  allowance: number | null
  held: number
  /** numbers of those who wait, in the order they came */
  waiting: number[]
  granted: number[]
  next: number
}

interface Real {
  hosts: HostController
  setLimits: (change: Partial<HostLimits>) => void
  slots: Map<number, Slot>
  aborts: Map<number, AbortController>
  granted: number[]
  aborted: number[]
}

const allowed = (m: Model) => Math.min(m.limit, m.allowance ?? Number.POSITIVE_INFINITY)
const grantWaiting = (m: Model) => {
  while (m.waiting.length > 0 && m.held < allowed(m)) {
    m.held++
    m.granted.push(m.waiting.shift()!)
  }
}

type Command = fc.AsyncCommand<Model, Real>

/** Does something to both, and compares everything that can be seen. */
function command(name: string, check: (m: Model) => boolean, run: (m: Model, r: Real) => void): Command {
  return {
    check,
    async run(m, r) {
      run(m, r)
      await settle()
      expect(r.hosts.connections(HOST)).toBe(m.held)
      expect(r.granted).toEqual(m.granted)
      // nobody waits where there is a place
      if (m.waiting.length > 0) expect(m.held).toBeGreaterThanOrEqual(allowed(m))
    },
    toString: () => name,
  }
}

const acquire = command(
  'acquire',
  () => true,
  (m, r) => {
    const number = m.next++
    const abort = new AbortController()
    r.aborts.set(number, abort)
    r.hosts.acquire(HOST, stubborn, abort.signal).then(
      (slot) => {
        r.slots.set(number, slot)
        r.granted.push(number)
      },
      () => r.aborted.push(number),
    )
    if (m.waiting.length === 0 && m.held < allowed(m)) {
      m.held++
      m.granted.push(number)
    } else m.waiting.push(number)
  },
)

const tryAcquire = command(
  'tryAcquire',
  () => true,
  (m, r) => {
    const slot = r.hosts.tryAcquire(HOST, stubborn)
    const free = m.waiting.length === 0 && m.held < allowed(m)
    expect(slot !== null).toBe(free)
    if (!slot) return
    const number = m.next++
    r.slots.set(number, slot)
    r.granted.push(number)
    m.granted.push(number)
    m.held++
  },
)

const release = (pick: number) =>
  command(
    `release(${pick})`,
    (m) => m.held > 0,
    (m, r) => {
      const keys = [...r.slots.keys()]
      const number = keys[pick % keys.length]!
      const slot = r.slots.get(number)!
      r.slots.delete(number)
      slot.release()
      // twice is once
      slot.release()
      m.held--
      grantWaiting(m)
    },
  )

const abort = (pick: number) =>
  command(
    `abort(${pick})`,
    (m) => m.waiting.length > 0,
    (m, r) => {
      const [number] = m.waiting.splice(pick % m.waiting.length, 1)
      r.aborts.get(number!)!.abort(new Error('enough'))
    },
  )

const slowDown = command(
  'slowDown',
  () => true,
  (m, r) => {
    r.hosts.slowDown(HOST, null, 429)
    m.allowance = Math.max(1, Math.floor(allowed(m) / 2))
  },
)

const succeeded = command(
  'succeeded',
  () => true,
  (m, r) => {
    r.hosts.succeeded(HOST)
    if (m.allowance === null) return
    m.allowance++
    if (m.allowance >= m.limit) m.allowance = null
    grantWaiting(m)
  },
)

const setLimit = (limit: number) =>
  command(
    `setLimit(${limit})`,
    () => true,
    (m, r) => {
      r.setLimits({ connections: limit })
      m.limit = limit
      grantWaiting(m)
    },
  )

describe('HostController', () => {
  it('holds to its limit, grants in turn and loses no place, whatever comes in whatever order', async () => {
    const commands = fc.commands(
      [
        fc.constant(acquire),
        fc.constant(acquire),
        fc.constant(tryAcquire),
        fc.nat(50).map(release),
        fc.nat(50).map(abort),
        fc.constant(slowDown),
        fc.constant(succeeded),
        fc.integer({ min: 1, max: 8 }).map(setLimit),
      ],
      { maxCommands: 60 },
    )
    await fc.assert(
      fc.asyncProperty(commands, fc.integer({ min: 1, max: 8 }), (script, limit) =>
        fc.asyncModelRun(
          () => ({
            model: { limit, allowance: null, held: 0, waiting: [], granted: [], next: 0 },
            real: {
              ...controller(limit),
              slots: new Map(),
              aborts: new Map(),
              granted: [],
              aborted: [],
            },
          }),
          script,
        ),
      ),
    )
  })

  it('rejects with the signal’s reason, at once where it was aborted before', async () => {
    const { hosts } = controller(1)
    const slot = await hosts.acquire(HOST, stubborn, never)
    const abort = new AbortController()
    const waiting = hosts.acquire(HOST, stubborn, abort.signal)
    const reason = new Error('paused')
    abort.abort(reason)
    await expect(waiting).rejects.toBe(reason)
    expect(() => hosts.acquire(HOST, stubborn, abort.signal)).toThrow(reason)
    slot.release()
    expect(hosts.tryAcquire(HOST, stubborn)).not.toBeNull()
  })

  it('keeps hosts apart', async () => {
    const { hosts } = controller(1)
    await hosts.acquire('a.test', stubborn, never)
    expect(hosts.tryAcquire('a.test', stubborn)).toBeNull()
    expect(hosts.tryAcquire('a.test:8080', stubborn)).not.toBeNull()
  })

  it('asks the richest holder to give a place up for a newcomer, and the next one where that one will not', async () => {
    const { hosts } = controller(6)
    const asked: string[] = []
    const holder = (name: string, gives: () => boolean): SlotHolder => ({
      shed: () => {
        asked.push(name)
        return gives()
      },
    })
    const slots: Slot[] = []
    const rich = holder('rich', () => false)
    const middle = holder('middle', () => {
      queueMicrotask(() => slots.pop()!.release())
      return true
    })
    const poor = holder('poor', () => true)
    for (const who of [poor, rich, rich, rich, middle, middle]) slots.push(await hosts.acquire(HOST, who, never))
    await hosts.acquire(
      HOST,
      holder('newcomer', () => true),
      never,
    )
    // who has but one place is never asked
    expect(asked).toEqual(['rich', 'middle'])
    expect(hosts.connections(HOST)).toBe(6)
  })

  it('halves when the host complains, and grows back by one with every success', () => {
    const { hosts } = controller(8)
    const places = () => {
      const slots: Slot[] = []
      for (let slot = hosts.tryAcquire(HOST, stubborn); slot; slot = hosts.tryAcquire(HOST, stubborn)) slots.push(slot)
      for (const slot of slots) slot.release()
      return slots.length
    }
    expect(places()).toBe(8)
    const seen = [1, 2, 3, 4].map(() => {
      hosts.slowDown(HOST, null, 429)
      return places()
    })
    expect(seen).toEqual([4, 2, 1, 1])
    const back = Array.from({ length: 9 }, () => {
      hosts.succeeded(HOST)
      return places()
    })
    expect(back).toEqual([2, 3, 4, 5, 6, 7, 8, 8, 8])
  })

  it('whoever waits for his turn hears that the host wants to be left alone meanwhile', async () => {
    const { clock, hosts } = controller(4, 1)
    await hosts.turn(HOST, never)
    const turn = hosts.turn(HOST, never)
    hosts.slowDown(HOST, 60_000, 429)
    clock.advance(1_000)
    await expect(turn).rejects.toBeInstanceOf(HostQuiet)
    clock.advance(59_000)
    const short = hosts.turn(HOST, never)
    hosts.slowDown(HOST, 1_500, 429)
    let went = false
    void short.then(() => {
      went = true
    })
    clock.advance(1_400)
    await settle()
    expect(went).toBe(false)
    clock.advance(5_000)
    await short
  })

  it('spaces the requests of all tasks, and is ready at once after a silence', () => {
    const { hosts, clock, setLimits } = controller(8, 4)
    expect([1, 2, 3].map(() => hosts.spacing(HOST))).toEqual([0, 250, 500])
    clock.advance(100)
    expect(hosts.spacing(HOST)).toBe(650)
    expect(hosts.spacing('other.test')).toBe(0)
    clock.advance(10_000)
    expect([1, 2].map(() => hosts.spacing(HOST))).toEqual([0, 250])
    setLimits({ requestsPerSecond: null })
    clock.advance(500)
    expect([1, 2].map(() => hosts.spacing(HOST))).toEqual([0, 0])
  })

  it('keeps the least time between two requests, where the rate would allow more', () => {
    const { hosts, clock, setLimits } = controller(8, 10)
    setLimits({ spacingMs: 1_000 })
    expect([1, 2, 3].map(() => hosts.spacing(HOST))).toEqual([0, 1_000, 2_000])
    clock.advance(10_000)
    setLimits({ spacingMs: 20 })
    expect([1, 2].map(() => hosts.spacing(HOST))).toEqual([0, 100])
  })

  it('leaves a host alone for as long as it asked, and believes the longest of several', () => {
    const { hosts, clock } = controller(8)
    hosts.slowDown(HOST, 60_000, 429)
    hosts.slowDown(HOST, 1_000, 503)
    expect(hosts.quietMs(HOST)).toBe(60_000)
    expect(() => hosts.spacing(HOST)).toThrow(HostQuiet)
    clock.advance(59_500)
    expect(hosts.spacing(HOST)).toBe(500)
    clock.advance(500)
    expect(hosts.spacing(HOST)).toBe(0)
    expect(hosts.quietMs('other.test')).toBe(0)
  })

  it('forgets hosts that have nothing to remember, even those it had to space', () => {
    const { hosts, clock } = controller(2, 1)
    for (let n = 0; n < 20_000; n++) {
      const slot = hosts.tryAcquire(`${n}.test`, stubborn)!
      hosts.spacing(`${n}.test`)
      slot.release()
      clock.advance(100)
    }
    expect(hosts.remembered).toBeLessThan(1_000)
  })

  it('hands over what it learned, and another one goes on from there', () => {
    const { hosts, clock } = controller(8)
    hosts.slowDown(HOST, 60_000, 429)
    hosts.slowDown(HOST, null, 503)
    const records = hosts.takeChanged()
    expect(records).toEqual([
      {
        host: HOST,
        allowance: 2,
        notBefore: clock.now() + 60_000,
        complaintStatus: 503,
        complaintAt: clock.now(),
        complaints: 2,
      },
    ])
    expect(hosts.takeChanged()).toEqual([])
    hosts.keepChanged(records)
    expect(hosts.takeChanged()).toEqual(records)

    const next = controller(8)
    next.clock.advance(10_000)
    next.hosts.restore(records)
    expect(next.hosts.quietMs(HOST)).toBe(50_000)
    for (let n = 0; n < 2; n++) expect(next.hosts.tryAcquire(HOST, stubborn)).not.toBeNull()
    expect(next.hosts.tryAcquire(HOST, stubborn)).toBeNull()
    next.hosts.succeeded(HOST)
    expect(next.hosts.takeChanged()).toMatchObject([{ host: HOST, allowance: 3, complaints: 2 }])
    expect(next.hosts.states()).toMatchObject([
      { host: HOST, connections: 2, allowed: 3, complaints: { status: 503, count: 2 } },
    ])
  })

  it('forgets complaints after a day, or when told to, and then gives all places again', async () => {
    const { hosts, clock } = controller(3)
    hosts.slowDown(HOST, 1_000, 429)
    const slot = hosts.tryAcquire(HOST, stubborn)!
    const granted: Slot[] = []
    void hosts.acquire(HOST, stubborn, never).then((next) => granted.push(next))
    await settle()
    expect(granted).toHaveLength(0)
    expect(hosts.forget('other.test')).toBe(false)
    expect(hosts.forget(HOST)).toBe(true)
    await settle()
    expect(granted).toHaveLength(1)
    expect(hosts.quietMs(HOST)).toBe(0)
    for (const held of [slot, ...granted]) held.release()

    hosts.slowDown(HOST, null, 429)
    clock.advance(24 * 3600_000 - 1)
    expect(hosts.states()).toHaveLength(1)
    clock.advance(1)
    expect(hosts.states()).toEqual([])
    expect(hosts.remembered).toBe(0)
  })

  it('leaves a host alone for no longer than a day, however the clock was set', () => {
    const { hosts, clock } = controller(3)
    const complaintAt = clock.now()
    const notBefore = complaintAt + 1000 * 24 * 3600_000
    hosts.restore([{ host: HOST, allowance: 1, notBefore, complaintStatus: 429, complaintAt, complaints: 1 }])
    expect(hosts.quietMs(HOST)).toBe(24 * 3600_000)
  })

  it('remembers what a host complained about, however many others come', () => {
    const { hosts } = controller(8)
    hosts.slowDown(HOST, null, 429)
    for (let n = 0; n < 5_000; n++) hosts.tryAcquire(`${n}.test`, stubborn)!.release()
    for (let n = 0; n < 4; n++) expect(hosts.tryAcquire(HOST, stubborn)).not.toBeNull()
    expect(hosts.tryAcquire(HOST, stubborn)).toBeNull()
    expect(hosts.remembered).toBe(1)
  })

  it('counts what it forbids one download after the other, with nobody there in between, and forgets it in time', () => {
    const { hosts, clock } = controller(8)
    for (let id = 1; id <= 5; id++) {
      expect(hosts.quietMs(HOST)).toBe(0)
      hosts.tryAcquire(HOST, stubborn)!.release()
      hosts.forbade(HOST, id)
      hosts.states()
    }
    expect(hosts.quietMs(HOST)).toBeGreaterThan(0)
    // It asked for nothing: it refused.
    expect(hosts.places(HOST).forbids).toBe(true)
    expect(() => hosts.spacing(HOST)).toThrow(expect.objectContaining({ code: 'host_refuses' }))
    hosts.forbade('other.test', 1)
    clock.advance(3600_000)
    hosts.states()
    expect(hosts.remembered).toBe(1)
  })
})

describe('a host that does not answer', () => {
  const silence = new NighthaulError('connect_timeout', 'nobody answered')

  it('has room for one download at a time, until it says something, or for ten minutes', () => {
    const { clock, hosts } = controller(4)
    let room = 0
    hosts.onRoom = () => room++
    const allowed = () => hosts.places('a.test').allowed
    hosts.reads('a.test')()
    hosts.failed('a.test', silence)
    expect([allowed(), hosts.places('b.test').allowed, room]).toEqual([1, 4, 0])
    hosts.failed('a.test', new NighthaulError('server_error', 'busy', { status: 500 }))
    expect([allowed(), room]).toEqual([4, 1])
    hosts.failed('a.test', silence)
    const over = hosts.reads('a.test')
    hosts.reads('a.test')()
    expect([allowed(), room]).toEqual([4, 2])
    // It brings bytes to another download: only this one's request was not answered.
    hosts.failed('a.test', silence)
    expect(allowed()).toBe(4)
    over()
    hosts.failed('a.test', silence)
    clock.advance(10 * 60_000 - 1)
    expect(allowed()).toBe(1)
    clock.advance(1)
    expect(allowed()).toBe(4)
  })

  it('says nothing of a single connection that was reset', () => {
    const { hosts } = controller(4)
    hosts.failed('a.test', new NighthaulError('connection_reset', 'reset'))
    expect(hosts.places('a.test').allowed).toBe(4)
  })
})
