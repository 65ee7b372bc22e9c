/**
 * `npm run soak -- --minutes N --seed S`: hundreds of downloads of every size from faulty servers into a real headless
 * host, over its RPC, while it is paused, limited, cut off and killed. Every finished file is compared with what the
 * server had. Prints a table (and JSON with `--json FILE`); the code is 1 if anything is wrong, lost or left over.
 *
 * In the first two thirds of the time the process is killed and restarted; the last third is one life, by which memory
 * and open files are judged. Then what is left has to end.
 */
import { readdir, writeFile } from 'node:fs/promises'
import { setTimeout as sleep } from 'node:timers/promises'
import { parseArgs } from 'node:util'
import { say } from '../../scripts/repository.ts'
import type { TaskDelta } from '../../shared/schemas.ts'
import { type FaultServer, startFaultServer } from '../helpers/fault-server.ts'
import { type EngineProcess, engineProcess } from './engine-process.ts'
import { type Counts, type Figures, flatness, isGood, type Life, longestLife, loopDelay, table } from './figures.ts'
import type { ServerName } from './jobs.ts'
import { createLoad, type Load } from './load.ts'
import { createMischief, type Mischief } from './mischief.ts'
import { createRandom } from './random.ts'

const USAGE = `usage: npm run soak -- [options]
  --minutes N    how long there is load (10)
  --seed S       repeats the files, faults and acts of a run, though not their timing
  --tasks N      tasks in the list at a time (300)
  --json FILE    write the figures and all samples`

const TURN_MS = 250
const MEDDLE_MS = 300
const SAMPLE_MS = 2_000
const FLAP_MS = [8_000, 25_000] as const
const RESTART_MS = [8_000, 30_000] as const
/** While the rest drains, waits are cut short so often, as by a network that comes back. */
const CALM_MS = 15_000
/** So long may nothing end while the rest drains. */
const PATIENCE_MS = 2 * 60_000
/** Idle connections are closed by then. */
const REST_MS = 20_000

interface Plan {
  minutes: number
  seed: number
  tasks: number
  json: string | undefined
}

function readPlan(): Plan | null {
  const { values } = parseArgs({
    options: {
      minutes: { type: 'string', default: '10' },
      seed: { type: 'string', default: String(Date.now() % 1_000_000) },
      tasks: { type: 'string', default: '300' },
      json: { type: 'string' },
      help: { type: 'boolean', short: 'h', default: false },
    },
  })
  const [minutes, seed, tasks] = [Number(values.minutes), Number(values.seed), Number(values.tasks)]
  const isUsable = minutes > 0 && Number.isSafeInteger(seed) && Number.isSafeInteger(tasks) && tasks > 0
  return isUsable && !values.help ? { minutes, seed, tasks, json: values.json } : null
}

class Soak {
  readonly counts: Counts = {
    right: 0,
    wrong: 0,
    lost: 0,
    unexpected: 0,
    refused: {},
    bytes: 0,
    removed: 0,
    restored: 0,
    requests: 0,
    retries: 0,
    pauses: 0,
    kills: 0,
    stops: 0,
    flaps: 0,
    leftover: 0,
    setAside: 0,
  }
  readonly lives: Life[] = []
  atRest = { before: 0, after: 0 }
  readonly #plan: Plan
  readonly #signal: AbortSignal
  readonly #engine: EngineProcess
  readonly #load: Load
  readonly #mischief: Mischief
  readonly #began = performance.now()
  #queue: Promise<unknown> = Promise.resolve()
  #phase: 'kills' | 'calm life' | 'draining' | 'over' = 'kills'

  constructor(plan: Plan, signal: AbortSignal, engine: EngineProcess, servers: Record<ServerName, FaultServer>) {
    this.#plan = plan
    this.#signal = signal
    this.#engine = engine
    this.#load = createLoad(engine, servers, createRandom(plan.seed), this.counts, say)
    const acts = createRandom(plan.seed + 1)
    this.#mischief = createMischief(engine, this.#load, Object.values(servers), acts, this.counts)
  }

  async run(): Promise<void> {
    const engine = this.#engine
    await engine.start()
    await engine.call('settings.set', {
      // What fails for good is judged at once.
      secondChances: 0,
      stallTimeoutMs: 4_000,
      headersTimeoutMs: 4_000,
      connectTimeoutMs: 3_000,
      downloadsAtOnce: 8,
    })
    await this.#pause(3_000)
    this.atRest.before = (await engine.metrics())?.('process_open_fds') ?? 0
    const loops = [
      this.#turns(),
      this.#repeat('calm life', [MEDDLE_MS, MEDDLE_MS], () => this.#alone(() => this.#mischief.meddle())),
      this.#repeat('calm life', FLAP_MS, () => this.#mischief.flap((ms) => this.#pause(ms))),
      this.#phases(),
      this.#samples(),
    ]
    await Promise.all(loops)
    await this.#finish()
  }

  /** Restarts, then none; then nothing new. */
  async #phases(): Promise<void> {
    const loadMs = this.#plan.minutes * 60_000
    const acts = createRandom(this.#plan.seed + 2)
    for (;;) {
      await this.#pause(Math.min(acts.whole(...RESTART_MS), (loadMs * 2) / 3))
      if (this.#isOver || this.#elapsed >= (loadMs * 2) / 3) break
      this.lives.at(-1)!.end = 'killed'
      this.lives.push({ samples: [], end: 'running' })
      await this.#mischief.restart()
      await this.#alone(() => this.#load.reconcile())
    }
    if (!this.#isOver) this.#phase = 'calm life'
    await this.#pause(loadMs - this.#elapsed)
    if (!this.#isOver) this.#phase = 'draining'
  }

  /** Adds and judges, until nothing is left. */
  async #turns(): Promise<void> {
    let calmedAt = Number.NEGATIVE_INFINITY
    let before = -1
    let progressAt = 0
    while (!this.#isOver) {
      if (this.#phase !== 'draining') await this.#alone(() => this.#load.fill(this.#plan.tasks))
      else if (this.#elapsed - calmedAt > CALM_MS) {
        calmedAt = this.#elapsed
        await this.#mischief.calm()
        if (this.#load.size <= 5) for (const line of await this.#load.left()) say(`still there: ${line}`)
      }
      await this.#alone(() => this.#load.settle())
      if (this.#load.size !== before) {
        before = this.#load.size
        progressAt = this.#elapsed
      }
      if (this.#phase === 'draining' && this.#load.size === 0) this.#phase = 'over'
      if (this.#phase === 'draining' && this.#elapsed - progressAt > PATIENCE_MS) await this.#giveUp()
      await this.#pause(TURN_MS)
    }
  }

  async #giveUp(): Promise<void> {
    const left = await this.#load.left()
    this.counts.lost += left.length
    for (const line of left) say(`NEVER ENDED: ${line}`)
    this.#phase = 'over'
  }

  async #samples(): Promise<void> {
    this.lives.push({ samples: [], end: 'running' })
    while (!this.#isOver) {
      const metric = await this.#engine.metrics()
      const ms = (name: string) => metric!(`nodejs_eventloop_lag_${name}_seconds`) * 1000
      // The drain is another load; it is not what memory is judged by.
      if (metric && this.#phase !== 'draining')
        this.lives.at(-1)!.samples.push({
          at: this.#elapsed,
          residentBytes: metric('process_resident_memory_bytes'),
          openFiles: metric('process_open_fds'),
          loopDelayMs: { median: ms('p50'), p99: ms('p99'), most: ms('max') },
        })
      await this.#pause(SAMPLE_MS)
    }
  }

  /** One at a time: a list that is compared with another must not change meanwhile. */
  async #alone<T>(work: () => Promise<T>): Promise<T> {
    const mine = this.#queue.then(work)
    this.#queue = mine.catch(() => {})
    return mine
  }

  /** Waits between two of them; goes on through this phase. */
  async #repeat(last: 'calm life', [least, most]: readonly [number, number], act: () => unknown): Promise<void> {
    const acts = createRandom(this.#plan.seed + least)
    while (!this.#isOver && (this.#phase === 'kills' || this.#phase === last)) {
      await this.#pause(acts.whole(least, most))
      if (this.#phase === 'kills' || this.#phase === last) await act()
    }
  }

  /** Everything was removed: no file may be left, and no handle. */
  async #finish(): Promise<void> {
    if (this.#signal.aborted) return
    await this.#pause(REST_MS)
    this.atRest.after = (await this.#engine.metrics())?.('process_open_fds') ?? 0
    await this.#engine.call('removed.clear')
    const names = await readdir(this.#engine.files)
    const left = names.filter((name) => !name.endsWith('.bad'))
    this.counts.leftover = left.length
    this.counts.setAside = names.length - left.length
    for (const name of left.slice(0, 20)) say(`LEFT OVER: ${name}`)
    await this.#engine.stop()
  }

  get #elapsed(): number {
    return performance.now() - this.#began
  }

  get elapsedMinutes(): number {
    return this.#elapsed / 60_000
  }

  get #isOver(): boolean {
    return this.#phase === 'over' || this.#signal.aborted
  }

  get progress(): string {
    const { right, wrong, lost, unexpected, kills, requests } = this.counts
    const sample = this.lives.at(-1)?.samples.at(-1)
    const memory = sample ? `${(sample.residentBytes / 2 ** 20).toFixed(0)} MiB, ${sample.openFiles} files` : ''
    return `${this.elapsedMinutes.toFixed(1)} min (${this.#phase}): ${right} right, ${wrong} wrong, ${lost} lost, ${unexpected} failed, ${this.#load.size} under way, ${requests} requests, ${kills} kills; ${memory}`
  }

  async #pause(ms: number): Promise<void> {
    await sleep(Math.max(0, ms), undefined, { signal: this.#signal }).catch(() => {})
  }
}

function figuresOf(soak: Soak, plan: Plan): Figures {
  const life = longestLife(soak.lives)
  const openFiles = flatness(life, (sample) => sample.openFiles)
  return {
    seed: plan.seed,
    minutes: soak.elapsedMinutes,
    ...soak.counts,
    memory: flatness(life, (sample) => sample.residentBytes),
    openFiles: openFiles && { ...openFiles, atRestBefore: soak.atRest.before, atRestAfter: soak.atRest.after },
    loopDelayMs: loopDelay(soak.lives),
  }
}

async function main(): Promise<number> {
  const plan = readPlan()
  if (!plan) {
    say(USAGE)
    return 2
  }
  const interrupted = new AbortController()
  for (const name of ['SIGINT', 'SIGTERM'] as const) process.on(name, () => interrupted.abort())
  await using plain = await startFaultServer()
  await using tls = await startFaultServer({ tls: true })
  await using http2 = await startFaultServer({ http2: true })
  await using moody = await startFaultServer()
  let soak: Soak | null = null
  const retryAt = new Map<number, number>()
  const onChange = ({ rows, removed }: TaskDelta) => {
    for (const { id, state, retryAt: at } of rows)
      if (state === 'waiting' && at !== null && retryAt.get(id) !== at) {
        retryAt.set(id, at)
        soak!.counts.retries++
      }
    for (const id of removed) retryAt.delete(id)
  }
  await using engine = await engineProcess(onChange)
  soak = new Soak(plan, interrupted.signal, engine, { plain, tls, http2, moody })
  const news = setInterval(() => say(soak!.progress), 20_000)
  try {
    await soak.run()
  } finally {
    clearInterval(news)
  }
  const figures = figuresOf(soak, plan)
  say(table(figures))
  if (plan.json !== undefined)
    await writeFile(plan.json, `${JSON.stringify({ ...figures, lives: soak.lives }, null, 2)}\n`)
  if (interrupted.signal.aborted) return 130
  return isGood(figures) ? 0 : 1
}

process.exitCode = await main()
