/**
 * A cell of the fault matrix: one fault, met at one place of a download, once or always. Runs it through a whole engine
 * and checks what must hold whatever the fault is; what comes of it is the cell's to say.
 *
 * The places: `probe`, the first request of all; `first`, the request that goes on with the first segment after its
 * connection broke; `later`, the requests of further segments while the first is being read; `resume`, the requests of
 * another engine that finds a partial of several segments.
 */
import { existsSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest'
import type { ErrorCode } from '../../shared/errors.ts'
import type { TaskDetail, TaskOptions } from '../../shared/schemas.ts'
import { contentBytes } from './bytes.ts'
import { clockOfHaste, startEngine, type TestEngine } from './engine.ts'
import {
  type ConnectionFault,
  type FaultScript,
  type FaultServer,
  faults,
  type RecordedRequest,
  type Resource,
  startFaultServer,
} from './fault-server.ts'
import type { PlannedReply } from './planned-reply.ts'

export const PLACES = ['probe', 'first', 'later', 'resume'] as const
export type Place = (typeof PLACES)[number]
export type Times = 'once' | 'always'

/** `done`: with the right bytes. `changed`: it waits for a decision. Otherwise it failed with this code. */
export type Outcome = 'done' | 'changed' | ErrorCode
/** For all places, or for each; null: the fault cannot be met there. */
export type Expected = Outcome | null | { [place in Place | 'else']?: Outcome | null }

export interface MatrixFault {
  name: string
  /** what requests meet that come to the place; made for each cell */
  script?: (server: FaultServer) => FaultScript
  /** what connections meet instead */
  connection?: ConnectionFault
  /** the requests or connections that come to the place meet it one and all, or the first of them alone */
  always?: Expected
  once?: Expected
  /** where a good client never meets it */
  unseen?: readonly Place[]
  /** requests that are asked at most, those before the fault left out */
  mostRequests?: number
  options?: TaskOptions
  tls?: boolean
  /** what is special about the file from the beginning */
  resource?: Partial<Resource>
  /** at the probe it says what no other server can meet */
  misleads?: boolean
  /** another server has the file as well, and behaves */
  mirror?: boolean
  /** the file that the server has afterwards */
  becomes?: Partial<Resource>
  /** what comes of it once the server behaves again and the task is tried again, or decided to begin anew */
  mended?: Outcome
}

export const SIZE = 2 * 1024 * 1024 + 4321
export const SEED = 11
/** how many bytes of a body come before what befalls bodies */
export const AT = 700_000
/** what is here of the first segment when the fault comes */
const HELD = 600_000
/** what is here at most of each segment that is resumed: what is missing of it is more than AT */
const HELD_OF_EACH = 300_000
const MOST_REQUESTS = 12
const MIB = 1024 * 1024
/** slow enough for others to be asked for the rest, and for all that befalls them */
const FIRST_BYTES_PER_SECOND = 250_000

export const matrixClock = clockOfHaste(20)

// Its hosts fail beside each other all the time, which says nothing of the network.
const startMatrixEngine = (from?: TestEngine): Promise<TestEngine> =>
  startEngine({
    clock: matrixClock,
    judgesNetwork: false,
    settings: { downloadsAtOnce: 100, proxyMode: 'none' },
    ...(from && { from }),
  })

interface Cell {
  fault: MatrixFault
  place: Place
  times: Times
  expected: Outcome
}

/** All cells of the table, by place. */
function cellsOf(table: readonly MatrixFault[], place: Place): Cell[] {
  return table.flatMap((fault) =>
    (['always', 'once'] as const).flatMap((times) => {
      const expected = outcomeAt(fault[times], place)
      return expected === null ? [] : [{ fault, place, times, expected }]
    }),
  )
}

function outcomeAt(expected: Expected | undefined, place: Place): Outcome | null {
  if (typeof expected !== 'object' || expected === null) return expected ?? null
  const { [place]: own = expected.else } = expected
  return own ?? null
}

/** The faults that end a download, where another server has the file: then it ends well. */
export function whereOthersHaveTheFile(table: readonly MatrixFault[]): MatrixFault[] {
  return table.map((fault) => {
    const failing = PLACES.flatMap((place) => {
      const alone = outcomeAt(fault.always, place)
      const outcome: Outcome | null = fault.misleads && place === 'probe' ? alone : 'done'
      return alone === null || alone === 'done' ? [] : [[place, outcome]]
    })
    const always = Object.fromEntries(failing)
    return { ...fault, mirror: true, always, once: null, becomes: undefined }
  })
}

let cells = 0

/** A server and a task of its own. */
class CellRun implements AsyncDisposable {
  readonly cell: Cell
  readonly #server: FaultServer
  readonly #mirror: FaultServer | null
  readonly #path = `/${++cells}.bin`
  /** requests and connections before the fault */
  #before = 0
  #id = 0
  /** the task as the fault met it */
  #held: TaskDetail | null = null
  /** the requests that came to the fault, and how many connections were spoilt by it */
  readonly #came: RecordedRequest[] = []
  #spoiltConnections = 0

  private constructor(cell: Cell, server: FaultServer, mirror: FaultServer | null) {
    this.cell = cell
    this.#server = server
    this.#mirror = mirror
    for (const each of [server, mirror]) each?.add(this.#path, { size: SIZE, seed: SEED, ...cell.fault.resource })
  }

  static async start(cell: Cell): Promise<CellRun> {
    const { tls, mirror } = cell.fault
    return new CellRun(cell, await startFaultServer({ tls }), mirror ? await startFaultServer({ tls }) : null)
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#server.close()
    await this.#mirror?.close()
  }

  async #add(engine: TestEngine, connections: number): Promise<void> {
    const trust = this.cell.fault.tls ? { caPem: this.#server.caPem } : {}
    const options = { retries: 2, ...trust, ...this.cell.fault.options, connections }
    const mirrors = this.#mirror ? [{ url: this.#mirror.url(this.#path) }] : undefined
    const item = { url: this.#server.url(this.#path), options, ...(mirrors && { mirrors }) }
    this.#id = (await engine.call('tasks.add', { items: [item] })).items[0]!.id
  }

  /** For `resume`: leaves a paused task with parts of several segments. */
  async prepare(engine: TestEngine): Promise<void> {
    const server = this.#server
    const start = (request: RecordedRequest) => Number(/bytes=(\d+)-/.exec(request.headers.range ?? '')?.[1] ?? 0)
    server.fault(this.#path, (request) => (start(request) % MIB === 0 ? faults.stallAt(HELD_OF_EACH) : faults.silent()))
    await this.#add(engine, 3)
    const id = this.#id
    await engine.untilTask(id, ({ segments }) => segments.filter((s) => s.writtenBytes >= 100_000).length >= 2)
    await engine.call('tasks.pause', { selection: { ids: [id] } })
    await engine.untilTask(id, (task) => task.state === 'paused' && task.connections === 0)
    server.fault(this.#path, null)
    const { connections = 1 } = this.cell.fault.options ?? {}
    await engine.call('tasks.update', { selection: { ids: [id] }, connections })
  }

  async run(engine: TestEngine): Promise<void> {
    const { place, expected } = this.cell
    if (place === 'resume') {
      this.#held = await engine.get(this.#id)
      this.#before = this.#server.requests.length
    }
    const base = this.#server.connections.total
    this.#script(engine, base)
    if (place === 'resume') await engine.call('tasks.resume', { selection: { ids: [this.#id] } })
    else await this.#add(engine, this.cell.fault.options?.connections ?? (place === 'later' ? 3 : 1))
    const task = await engine.until(this.#id, 'done', 'failed', 'changed', 'paused')
    const met = this.#spoiltConnections + this.#came.filter(({ spoilt }) => spoilt).length
    expect(met > 0, `the fault was met ${met} times`).toBe(!this.cell.fault.unseen?.includes(place))
    const outcome = task.error?.code ?? task.state
    expect(outcome === 'remote_changed' ? task.state : outcome, JSON.stringify(task.error)).toBe(expected)
    const asked = this.#server.requests.length - this.#before + (this.#mirror?.requests.length ?? 0)
    expect(asked, 'requests').toBeLessThanOrEqual(this.cell.fault.mostRequests ?? MOST_REQUESTS)
    expect(this.#server.connections.total - base, 'connections').toBeLessThanOrEqual(
      this.cell.fault.mostRequests ?? MOST_REQUESTS,
    )
    expect(this.#server.requests.every(({ method }) => method === 'GET')).toBe(true)
    // RFC 9110 §13.1.5: a server may take it for a strong one.
    expect(this.#server.requests.filter(({ headers }) => headers['if-range']?.startsWith('W/'))).toEqual([])
    if (expected !== 'done') return this.#isKept(engine, task)
    this.#isRight(task, this.cell.fault.becomes && place === 'probe')
    // Nothing that was here was fetched anew: the last run found it. Of several connections one may go on meanwhile.
    const isFound = place === 'resume' || (place === 'first' && this.cell.fault.options?.connections === undefined)
    if (isFound) expect(task.resumedFromBytes).toBeGreaterThanOrEqual(this.#heldBytes)
  }

  /** What was here when the fault came. */
  get #heldBytes(): number {
    const { place } = this.cell
    return { probe: 0, first: HELD, later: null, resume: null }[place] ?? this.#held!.writtenBytes
  }

  /** The place's own behaviour, and the fault where it comes to it. */
  #script(engine: TestEngine, base: number): void {
    const { place, times, fault } = this.cell
    const server = this.#server
    const { connection } = fault
    const spoilt = place === 'first' || place === 'later' ? base + 1 : base
    if (connection !== undefined)
      server.faultConnections(({ index }) => {
        if (index < spoilt || (times === 'once' && index > spoilt)) return null
        this.#spoiltConnections++
        return connection
      })
    const script = fault.script?.(server) ?? null
    let first: PlannedReply | null = null
    const meet: FaultScript = (request, index) => {
      if (script === null || (times === 'once' && this.#came.length > 0)) return null
      if (this.#came.push(request) === 1 && place === 'later')
        void engine.get(this.#id).then((task) => {
          this.#held = task
        })
      return script(request, index)
    }
    const openFirst = () => {
      if (first) first.bytesPerSecond = Number.POSITIVE_INFINITY
    }
    if (place === 'later')
      void server
        .until(
          () =>
            server.requests.some((request) => request.index > 0 && request.finished) ||
            (connection !== undefined && server.connections.total > base + 1 + (connection === 'late' ? 1 : 0)),
        )
        // What the fault means for the download is settled before the first connection can be done with everything.
        .then(() => engine.untilTask(this.#id, ({ connections, state }) => connections <= 1 || state !== 'active'))
        .then(openFirst, openFirst)
    server.fault(this.#path, (request, index) => {
      if (place === 'probe' || place === 'resume') return meet(request, index)
      if (index > 0) return meet(request, index)
      if (place === 'first') return faults.truncateAt(HELD)
      return (reply) => {
        reply.bytesPerSecond = FIRST_BYTES_PER_SECOND
        first = reply
      }
    })
  }

  #isRight(task: TaskDetail, isOther = false): void {
    const { seed, size } = { seed: SEED, size: SIZE, ...(isOther && this.cell.fault.becomes) }
    const file = readFileSync(task.path!)
    expect(file.equals(contentBytes(seed, 0, size)), `bytes of ${size}, ${file.length} came`).toBe(true)
    expect(existsSync(`${task.path}.part`)).toBe(false)
    expect(task.connections).toBe(0)
  }

  /** Nothing bears the file's name, what was here is here, and the same server, mended, is good enough to go on. */
  async #isKept(engine: TestEngine, task: TaskDetail): Promise<void> {
    const { place, fault, expected } = this.cell
    expect(task.connections).toBe(0)
    expect(existsSync(join(task.folder, this.#path.slice(1)))).toBe(false)
    expect(task.writtenBytes).toBeGreaterThanOrEqual(this.#heldBytes)
    if (task.writtenBytes > 0) {
      const part = readFileSync(task.partPath!)
      for (const { start, writtenBytes, durableBytes } of task.segments) {
        expect(durableBytes).toBeLessThanOrEqual(writtenBytes)
        const here = part.subarray(start, start + writtenBytes)
        expect(here.equals(contentBytes(SEED, start, writtenBytes)), `what is here from ${start}`).toBe(true)
      }
      for (const { start, writtenBytes } of place === 'resume' ? this.#held!.segments : []) {
        const now = task.segments.find((s) => s.start <= start && s.start + s.writtenBytes >= start + writtenBytes)
        expect(now, `the mark of ${start} + ${writtenBytes}`).toBeDefined()
      }
    }
    this.#server.fault(this.#path, null)
    this.#server.faultConnections(null)
    this.#server.release()
    const selection = { ids: [this.#id] }
    if (expected === 'changed') await engine.call('tasks.decide', { selection, decision: 'restart' })
    else await engine.call('tasks.retry', { selection })
    const after = await engine.until(this.#id, 'done', 'failed', 'changed', 'paused')
    expect(after.error?.code ?? after.state, JSON.stringify(after.error)).toBe(fault.mended ?? 'done')
    if (after.state !== 'done') return
    this.#isRight(after, fault.becomes !== undefined)
    if (expected !== 'changed') expect(after.resumedFromBytes).toBe(task.writtenBytes)
  }
}

/** A test for each cell; all of them beside each other, in one engine. */
export function runMatrix(name: string, table: readonly MatrixFault[]): void {
  vi.setConfig({ maxConcurrency: 16 })
  const titleOf = ({ fault, times, place, expected }: Cell) => `${place}: ${fault.name}, ${times}: ${expected}`
  describe.concurrent(name, () => {
    let engine: TestEngine
    beforeAll(async () => {
      engine = await startMatrixEngine()
    })
    afterAll(() => engine[Symbol.asyncDispose]())
    for (const cell of PLACES.flatMap((place) => (place === 'resume' ? [] : cellsOf(table, place))))
      it(titleOf(cell), async () => {
        await using run = await CellRun.start(cell)
        await run.run(engine)
      })
  })
  describe.concurrent(`${name}, after a restart`, () => {
    const found = cellsOf(table, 'resume')
    const runs = new Map<Cell, CellRun>()
    let first: TestEngine
    let engine: TestEngine
    beforeAll(async () => {
      first = await startMatrixEngine()
      await Promise.all(
        found.map(async (cell) => {
          const run = await CellRun.start(cell)
          runs.set(cell, run)
          await run.prepare(first)
        }),
      )
      await first.stop()
      engine = await startMatrixEngine(first)
    })
    afterAll(async () => {
      await engine.stop()
      for (const run of runs.values()) await run[Symbol.asyncDispose]()
      await first[Symbol.asyncDispose]()
    })
    for (const cell of found) it(titleOf(cell), () => runs.get(cell)!.run(engine))
  })
}
