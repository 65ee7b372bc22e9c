/** The contract of revisions: whoever follows the documented rules always sees the truth in the end. */

import { describe, expect, it } from 'vitest'
import { Changes, HIDDEN_MS, VISIBLE_MS } from '../../electron/engine/changes.ts'
import type { TaskDelta, TaskRow } from '../../shared/schemas.ts'
import { createManualClock } from '../helpers/manual-clock.ts'
import fc from '../helpers/property.ts'

const settle = async () => {
  await new Promise((resolve) => setImmediate(resolve))
}
const noCounts = {} as TaskDelta['counts']

/** An engine in miniature: rows with a version, and the changes that announce them. */
function world() {
  const clock = createManualClock()
  const truth = new Map<number, number>()
  let asked = 0
  const row = (id: number) => ({ id, writtenBytes: truth.get(id)! }) as TaskRow
  const changes = new Changes(clock, {
    rows: (ids) => {
      asked++
      return ids.filter((id) => truth.has(id)).map(row)
    },
    counts: () => noCounts,
  })
  let nextId = 1
  let version = 0
  return {
    clock,
    truth,
    changes,
    get asked() {
      return asked
    },
    add(count: number) {
      const ids = Array.from({ length: count }, () => nextId++)
      for (const id of ids) truth.set(id, version++)
      changes.changed(ids)
    },
    progress(ids: readonly number[]) {
      for (const id of ids) truth.set(id, version++)
      changes.progressed(ids)
    },
    changeState(ids: readonly number[]) {
      for (const id of ids) truth.set(id, version++)
      changes.changed(ids)
    },
    remove(ids: readonly number[]) {
      for (const id of ids) truth.delete(id)
      changes.changed([], { removed: ids })
    },
    list: () => ({ rev: changes.rev, rows: new Map(truth) }),
  }
}

type World = ReturnType<typeof world>

/**
 * A window as TaskDelta's comment tells it to behave. `pagesOnly`: pages again whenever the list may have changed;
 * otherwise it trusts the rows of a frame and pages only where a frame names none.
 */
class Client {
  readonly #world: World
  readonly #pagesOnly: boolean
  /** frames that the channel loses: it keeps the newest and drops older ones */
  loses = false
  rev = 0
  rows = new Map<number, number>()
  lists = 0
  frames: TaskDelta[] = []
  readonly subscription

  constructor(given: World, options: { visible: boolean; pagesOnly: boolean }) {
    this.#world = given
    this.#pagesOnly = options.pagesOnly
    this.subscription = given.changes.subscribe((delta) => this.#hear(delta), { visible: options.visible })
  }

  list(): void {
    this.lists++
    const page = this.#world.list()
    this.rev = page.rev
    this.rows = page.rows
  }

  #hear(delta: TaskDelta): void {
    if (this.loses) return
    this.frames.push(delta)
    if (delta.rev <= this.rev) return
    if (delta.since > this.rev) {
      this.list()
      return
    }
    for (const row of delta.rows) this.rows.set(row.id, row.writtenBytes)
    for (const id of delta.removed) this.rows.delete(id)
    this.rev = delta.rev
    if (delta.listChanged && (this.#pagesOnly || delta.rows.length === 0)) this.list()
  }
}

const step = fc.oneof(
  { weight: 3, arbitrary: fc.record({ do: fc.constant('add' as const), count: fc.integer({ min: 1, max: 5 }) }) },
  { weight: 1, arbitrary: fc.record({ do: fc.constant('add' as const), count: fc.constant(600) }) },
  { weight: 5, arbitrary: fc.record({ do: fc.constant('progress' as const), pick: fc.nat() }) },
  { weight: 1, arbitrary: fc.record({ do: fc.constant('progressAll' as const) }) },
  { weight: 3, arbitrary: fc.record({ do: fc.constant('changeState' as const), pick: fc.nat() }) },
  { weight: 2, arbitrary: fc.record({ do: fc.constant('remove' as const), pick: fc.nat() }) },
  { weight: 1, arbitrary: fc.record({ do: fc.constant('removeAll' as const) }) },
  { weight: 6, arbitrary: fc.record({ do: fc.constant('wait' as const), ms: fc.integer({ min: 1, max: 1_500 }) }) },
  { weight: 3, arbitrary: fc.record({ do: fc.constant('settle' as const) }) },
  { weight: 2, arbitrary: fc.record({ do: fc.constant('list' as const), client: fc.nat(2) }) },
  { weight: 2, arbitrary: fc.record({ do: fc.constant('lose' as const), client: fc.nat(2) }) },
  { weight: 2, arbitrary: fc.record({ do: fc.constant('visible' as const), client: fc.nat(2), on: fc.boolean() }) },
)

describe('Changes', () => {
  it('brings every client that follows the rules to the truth, visible or hidden, with frames lost or not', async () => {
    await fc.assert(
      fc.asyncProperty(fc.array(step, { maxLength: 40 }), async (steps) => {
        const it = world()
        it.add(3)
        await settle()
        const clients = [
          new Client(it, { visible: true, pagesOnly: true }),
          new Client(it, { visible: true, pagesOnly: false }),
          new Client(it, { visible: false, pagesOnly: false }),
        ]
        for (const client of clients) client.list()
        const some = (pick: number) => {
          const ids = [...it.truth.keys()]
          return ids.length === 0 ? [] : [ids[pick % ids.length]!]
        }
        for (const s of steps) {
          if (s.do === 'add') it.add(s.count)
          else if (s.do === 'progress') it.progress(some(s.pick))
          else if (s.do === 'progressAll') it.progress([...it.truth.keys()])
          else if (s.do === 'changeState') it.changeState(some(s.pick))
          else if (s.do === 'remove') it.remove(some(s.pick))
          else if (s.do === 'removeAll') it.remove([...it.truth.keys()])
          else if (s.do === 'settle') await settle()
          else if (s.do === 'list') clients[s.client]!.list()
          else if (s.do === 'lose') clients[s.client]!.loses = !clients[s.client]!.loses
          else if (s.do === 'visible') clients[s.client]!.subscription.setVisible(s.on)
          else {
            it.clock.advance(s.ms)
            await settle()
          }
        }
        await settle()
        it.clock.advance(2 * HIDDEN_MS)
        // A channel that lost frames delivers a newer one sooner or later.
        for (const client of clients) client.loses = false
        it.add(1)
        await settle()
        it.clock.advance(2 * HIDDEN_MS)
        for (const client of clients) {
          expect(client.rows).toEqual(it.truth)
          // frames of one subscriber follow one another without overlap
          for (const frame of client.frames) expect(frame.since).toBeLessThan(frame.rev)
        }
      }),
      { numRuns: 200 },
    )
  })

  it('numbers frames without gaps: each begins where the last one ended', async () => {
    const it = world()
    const visible = new Client(it, { visible: true, pagesOnly: false })
    const hidden = new Client(it, { visible: false, pagesOnly: false })
    it.add(2)
    await settle()
    for (let n = 0; n < 40; n++) {
      it.progress([1])
      it.clock.advance(100)
      if (n % 7 === 0) it.changeState([2])
      await settle()
    }
    for (const { frames } of [visible, hidden]) {
      expect(frames.length).toBeGreaterThan(3)
      for (const [index, frame] of frames.entries()) if (index > 0) expect(frame.since).toBe(frames[index - 1]!.rev)
    }
    expect(visible.frames.length).toBeGreaterThan(hidden.frames.length)
  })

  it('tells of new states at once, to visible and hidden alike', async () => {
    const it = world()
    const clients = [true, false].map((visible) => new Client(it, { visible, pagesOnly: false }))
    it.add(1)
    it.changeState([1])
    expect(clients.map((c) => c.frames.length)).toEqual([0, 0])
    await settle()
    // what was said in one turn goes out as one frame
    for (const { frames } of clients) expect(frames).toMatchObject([{ listChanged: true, rows: [{ id: 1 }] }])
  })

  it('where many change all the time, tells of several changes of a task at once, a moment later', async () => {
    const it = world()
    const client = new Client(it, { visible: true, pagesOnly: false })
    it.add(20)
    await settle()
    expect(client.frames).toHaveLength(1)
    for (let n = 0; n < 19; n++) {
      it.changeState([1, 2 + n])
      it.clock.advance(1)
      await settle()
    }
    expect(client.frames).toHaveLength(1)
    it.clock.advance(1)
    expect(client.frames).toHaveLength(2)
    expect(client.frames[1]!.rows).toHaveLength(20)
    expect(client.rows).toEqual(it.truth)
    // One that changes alone is told of at once again.
    it.clock.advance(20)
    it.changeState([1])
    await settle()
    it.clock.advance(1)
    it.changeState([1])
    await settle()
    expect(client.frames).toHaveLength(4)
  })

  it('ends the pause with the last subscription, and begins anew with the next', async () => {
    const it = world()
    const first = new Client(it, { visible: true, pagesOnly: false })
    it.add(20)
    await settle()
    it.changeState([1])
    expect(it.clock.pending).toBe(2)
    first.subscription.dispose()
    expect(it.clock.pending).toBe(0)
    it.clock.advance(50)
    const second = new Client(it, { visible: true, pagesOnly: false })
    it.changeState([2])
    await settle()
    expect(second.frames).toMatchObject([{ rows: [{ id: 2 }] }])
  })

  it('tells of progress four times a second, and about once where the window is hidden', () => {
    const it = world()
    it.truth.set(1, 0)
    const visible = new Client(it, { visible: true, pagesOnly: false })
    const hidden = new Client(it, { visible: false, pagesOnly: false })
    for (let n = 0; n < 1_000; n++) {
      it.progress([1])
      it.clock.advance(10)
    }
    expect(visible.frames).toHaveLength(10_000 / VISIBLE_MS)
    expect(hidden.frames.length).toBeGreaterThanOrEqual(9)
    expect(hidden.frames.length).toBeLessThanOrEqual(11)
    expect(visible.frames.every((frame) => frame.rows.length === 1 && !frame.listChanged)).toBe(true)
  })

  it('asks for rows only where somebody listens and something changed', async () => {
    const it = world()
    it.add(3)
    it.progress([1, 2])
    await settle()
    expect(it.clock.pending).toBe(0)
    const client = new Client(it, { visible: true, pagesOnly: false })
    it.clock.advance(5_000)
    expect(it.asked).toBe(0)
    expect(it.changes.listened).toBe(true)
    client.subscription.dispose()
    it.progress([1])
    it.changeState([2])
    await settle()
    it.clock.advance(5_000)
    expect({ asked: it.asked, frames: client.frames.length, timers: it.clock.pending }).toEqual({
      asked: 0,
      frames: 0,
      timers: 0,
    })
  })

  it('says “page again” in place of more than 500 rows', async () => {
    const it = world()
    const client = new Client(it, { visible: true, pagesOnly: false })
    it.add(500)
    await settle()
    it.add(501)
    it.clock.advance(50)
    expect(client.frames.map((f) => [f.rows.length, f.listChanged])).toEqual([
      [500, true],
      [0, true],
    ])
    it.progress([...it.truth.keys()])
    it.clock.advance(VISIBLE_MS)
    expect(client.frames.at(-1)).toMatchObject({ rows: [], listChanged: true })
  })

  it('ends a subscription even while a frame is being handed out', async () => {
    const it = world()
    const heard: string[] = []
    const first = it.changes.subscribe(
      () => {
        heard.push('first')
        second.dispose()
      },
      { visible: true },
    )
    const second = it.changes.subscribe(() => heard.push('second'), { visible: true })
    it.add(1)
    await settle()
    expect(heard).toEqual(['first'])
    first.dispose()
    expect(it.clock.pending).toBe(0)
  })
})
