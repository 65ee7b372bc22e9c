/** The books of the connection pool, with connections that are mere names and a clock that is moved by hand. */
import { describe, expect, test } from 'vitest'
import { ConnectionPool, type Pooled, type PoolLimits } from '../../electron/engine/http/connection-pool.ts'
import { createManualClock } from '../helpers/manual-clock.ts'

interface Fake extends Pooled {
  alive: boolean
}

const A = 'http://a.test'
const B = 'http://b.test'

function startPool(limits: Partial<PoolLimits> = {}) {
  const clock = createManualClock()
  const closed: Fake[] = []
  const all = {
    idlePerHost: 8,
    idleInAll: 8,
    busyPerHost: 8,
    busyInAll: 8,
    keepAliveMs: 10_000,
    waitMs: 30_000,
    ...limits,
  }
  const pool = new ConnectionPool<Fake>(clock, all, (connection) => void closed.push(connection))
  const acquire = (origin: string, how: { fresh?: boolean; signal?: AbortSignal; key?: string } = {}) => {
    const { key = origin, fresh, signal = new AbortController().signal } = how
    return pool.acquire({ origin, key, fresh, signal }, () => ({ origin, key, alive: true }))
  }
  return { pool, clock, closed, acquire, limits: all }
}

/** Which of these have been granted by now, in the order they were. */
function order(...wanted: Promise<Fake>[]): Fake[] {
  const granted: Fake[] = []
  for (const each of wanted) void each.then((connection) => granted.push(connection))
  return granted
}

const turn = () => new Promise((resolve) => setImmediate(resolve))

describe('idle connections', () => {
  test('are used again, the last used first, and only for the same key', async () => {
    const { pool, acquire } = startPool()
    const [first, second] = [await acquire(A), await acquire(A)]
    pool.release(first)
    pool.release(second)
    expect(await acquire(A, { key: 'other' })).not.toBe(second)
    expect(await acquire(A)).toBe(second)
    expect(await acquire(A, { fresh: true })).not.toBe(first)
    expect(await acquire(A)).toBe(first)
  })

  test('expire, also where nobody asks for one any more', async () => {
    const { pool, clock, closed, acquire } = startPool({ keepAliveMs: 1000 })
    const [early, late] = [await acquire(A), await acquire(A)]
    pool.release(early)
    clock.advance(600)
    pool.release(late)
    clock.advance(399)
    expect(closed).toEqual([])
    clock.advance(1)
    expect(closed).toEqual([early])
    clock.advance(600)
    expect(closed).toEqual([early, late])
    expect(clock.pending).toBe(0)
  })

  test('are not kept at all where none may be', async () => {
    for (const limits of [{ keepAliveMs: 0 }, { idlePerHost: 0 }, { idleInAll: 0 }]) {
      const { pool, closed, acquire } = startPool(limits)
      const only = await acquire(A)
      pool.release(only)
      expect(closed).toEqual([only])
    }
  })

  test('beyond the bound of a host, or of all, are closed, the longest unused first', async () => {
    const { pool, closed, acquire } = startPool({ idlePerHost: 2, idleInAll: 3 })
    const a = [await acquire(A), await acquire(A), await acquire(A)]
    const b = [await acquire(B), await acquire(B)]
    for (const connection of a) pool.release(connection)
    expect(closed).toEqual([a[0]])
    for (const connection of b) pool.release(connection)
    expect(closed).toEqual([a[0], a[1]])
    expect(pool.idle).toBe(3)
  })

  test('whose other end hung up are not handed out', async () => {
    const { pool, closed, acquire } = startPool()
    const dead = await acquire(A)
    pool.release(dead)
    dead.alive = false
    expect(await acquire(A)).not.toBe(dead)
    expect(closed).toEqual([dead])
  })

  test('can be dropped, of one host or of all', async () => {
    const { pool, closed, acquire } = startPool()
    const [a, b] = [await acquire(A), await acquire(B)]
    pool.release(a)
    pool.release(b)
    pool.dropIdle(B)
    expect(closed).toEqual([b])
    pool.dropIdle()
    expect(closed).toEqual([b, a])
  })
})

describe('busy connections', () => {
  test('beyond the bound of a host wait, first come first served, and do not hold up another host', async () => {
    const { pool, acquire } = startPool({ busyPerHost: 1 })
    const first = await acquire(A)
    const waiting = [acquire(A), acquire(A)]
    const granted = order(...waiting)
    expect((await acquire(B)).origin).toBe(B)
    expect(pool.waiting).toBe(2)
    pool.release(first)
    await turn()
    expect(granted).toEqual([first])
    pool.discard(first)
    await turn()
    expect(granted).toHaveLength(2)
    expect(granted[1]).not.toBe(first)
  })

  test('beyond the bound in all wait, in the order of asking over all hosts', async () => {
    const { pool, acquire } = startPool({ busyInAll: 2 })
    const held = [await acquire(A), await acquire(B)]
    const granted = order(acquire(B), acquire(A))
    pool.discard(held[0]!)
    pool.discard(held[1]!)
    await turn()
    expect(granted.map(({ origin }) => origin)).toEqual([B, A])
    expect(pool.busy).toBe(2)
  })

  test('a newcomer does not overtake whoever waits', async () => {
    const { pool, acquire } = startPool({ busyPerHost: 1 })
    const first = await acquire(A)
    const granted = order(acquire(A, { key: 'waited' }))
    pool.release(first)
    const newcomer = order(acquire(A, { key: 'new' }))
    await turn()
    expect(granted.map(({ key }) => key)).toEqual(['waited'])
    expect(newcomer).toEqual([])
  })

  test('are waited for so long and no longer, with an error that says so', async () => {
    const { pool, clock, acquire } = startPool({ busyPerHost: 1, waitMs: 5000 })
    await acquire(A)
    const late = acquire(A)
    const outcome = expect(late).rejects.toMatchObject({
      code: 'no_free_connection',
      params: { host: 'a.test', waitMs: 5000 },
    })
    clock.advance(4999)
    expect(pool.waiting).toBe(1)
    clock.advance(1)
    await outcome
    expect(pool.waiting).toBe(0)
    expect(clock.pending).toBe(0)
  })

  test('are not waited for by whoever gives up, and nothing of it stays', async () => {
    const { pool, clock, acquire } = startPool({ busyPerHost: 1 })
    const first = await acquire(A)
    const stop = new AbortController()
    const left = acquire(A, { signal: stop.signal })
    stop.abort(new Error('enough'))
    await expect(left).rejects.toThrow('enough')
    await expect(acquire(A, { signal: stop.signal })).rejects.toThrow('enough')
    pool.discard(first)
    await acquire(A)
    expect(pool.busy).toBe(1)
    expect(clock.pending).toBe(0)
  })

  test('a raised bound lets those who wait go on at once', async () => {
    const { pool, acquire, limits } = startPool({ busyPerHost: 1 })
    await acquire(A)
    const granted = order(acquire(A), acquire(A))
    pool.setLimits({ ...limits, busyPerHost: 3 })
    await turn()
    expect(granted).toHaveLength(2)
  })

  test('a connection that cannot be made leaves its place to the next', async () => {
    const { pool, acquire } = startPool({ busyPerHost: 1 })
    const signal = new AbortController().signal
    const broken = () => {
      throw new Error('no such certificate')
    }
    await expect(pool.acquire({ origin: A, key: A, signal }, broken)).rejects.toThrow('no such certificate')
    await acquire(A)
    expect(pool.busy).toBe(1)
  })

  test('given back twice counts once', async () => {
    const { pool, acquire } = startPool()
    const one = await acquire(A)
    pool.discard(one)
    pool.discard(one)
    pool.release(one)
    expect([pool.busy, pool.idle]).toEqual([0, 0])
  })
})
