/**
 * What will be fetched when, as far as can be told from rates, limits and windows: the queue's admission and the shared
 * line played forward from event to event, with bytes as a fluid. Pure; what the rates are is measured-rates.ts's.
 */
import type { QueueId, TaskId } from '../../shared/schemas.ts'
import { type Flow, fairRates, type Share } from './fair-rates.ts'
import { HostLists } from './host-lists.ts'
import { type Contender, nextQueue } from './scheduler.ts'
import type { Span } from './window-times.ts'

/** A download that wants bytes, or (`files` > 1) several of one host taken together, one after the other. */
export interface PlannedTask {
  id: TaskId
  files: number
  host: string
  /** more than 0 */
  leftBytes: number
  /** epoch ms: not before; null: whenever its queue works */
  notBefore: number | null
  running: boolean
  /** whatever its queue says */
  forced: boolean
  limitBytesPerSecond: number | null
}

export interface PlannedQueue extends Omit<Contender, 'running'> {
  limitBytesPerSecond: number | null
  /** when it may work, ascending; none: never */
  spans: readonly Span[]
  /** in the order in which they are to start */
  tasks: readonly PlannedTask[]
  /** runs of repeating downloads that will be in it: they take their share, and are no part of what is to be done now */
  runs: readonly PlannedTask[]
  /** when to look at what is there; null: never */
  deadline: number | null
}

export interface PlannedHost {
  /** downloads at once */
  downloads: number
  /** Infinity: as much as the line brings; 0: it does not answer, and is given up for others after a while */
  bytesPerSecond: number
  /** epoch ms before which it is left alone */
  quietUntil: number
  /** from the request to the first byte, and what else a file costs besides its bytes */
  setupMs: number
}

/** What holds from a moment on. */
export interface Step {
  from: number
  /** downloads at once, of all queues */
  places: number
  /** of the line, under the limits of all */
  bytesPerSecond: number
}

export interface Plan {
  now: number
  /** nothing later is looked at */
  until: number
  queues: readonly PlannedQueue[]
  /** ascending; the first holds now */
  steps: readonly Step[]
  host(name: string): PlannedHost
}

export interface TaskOutcome {
  startsAt: number | null
  endsAt: number | null
  /** that came by the deadline of its queue, or by the end of the time looked at */
  bytesInTime: number
  filesInTime: number
}

export interface QueueOutcome {
  startsAt: number | null
  /** null: not all within the time, or there was nothing */
  endsAt: number | null
  work: { from: number; to: number; bytes: number }[]
  /** in the order of its tasks, and of its runs */
  tasks: TaskOutcome[]
  runs: TaskOutcome[]
}

interface Job {
  task: PlannedTask
  /** its place among those of its queue */
  index: number
  /** of a repeating download */
  isRun: boolean
  queue: Lane
  leftBytes: number
  /** epoch ms at which bytes begin to come, while it runs */
  readyAt: number
  /** ms before bytes come that are still to be spent */
  setupMs: number
  outcome: TaskOutcome
  flow: Flow
  bytesPerSecond: number
}

/** A queue while it is played. */
interface Lane {
  planned: PlannedQueue
  contender: Contender
  share: Share
  waiting: HostLists<Job>
  span: number
  open: boolean
  /** tasks, and runs, that did not end */
  left: number
  runsLeft: number
  outcome: QueueOutcome
  deadlineSeen: boolean
}

/** What nobody answers holds its place so long. */
const PATIENCE_MS = 30_000
/** A work span goes on over breaks shorter than this. */
const BREAK_MS = 60_000

/** Plays a plan; outcomes by queue. */
export function forecast(plan: Plan): Map<QueueId, QueueOutcome> {
  return new Player(plan).play()
}

class Player {
  readonly #plan: Plan
  readonly #lanes: Lane[]
  readonly #hosts = new Map<string, { planned: PlannedHost; share: Share; running: number }>()
  readonly #line: Share = { bytesPerSecond: 0 }
  /** by the time before which they must not start, the latest first */
  readonly #later: Job[] = []
  readonly #quiets: number[]
  #running: Job[] = []
  /** at hosts that do not answer; when they might, nobody knows */
  readonly #givenUp: Job[] = []
  #step = 0
  #now: number

  constructor(plan: Plan) {
    this.#plan = plan
    this.#now = plan.now
    this.#lanes = plan.queues.map((planned) => this.#lane(planned))
    this.#later.sort((a, b) => b.task.notBefore! - a.task.notBefore!)
    this.#quiets = [...this.#hosts.values()]
      .map(({ planned }) => planned.quietUntil)
      .filter((at) => at > plan.now)
      .sort((a, b) => b - a)
  }

  play(): Map<QueueId, QueueOutcome> {
    for (;;) {
      this.#turn()
      this.#admit()
      this.#share()
      const next = this.#next()
      if (next > this.#plan.until) {
        this.#advance(this.#plan.until)
        break
      }
      this.#advance(next)
    }
    for (const lane of this.#lanes) this.#lookAt(lane)
    return new Map(this.#lanes.map(({ planned, outcome }) => [planned.id, outcome]))
  }

  #lane(planned: PlannedQueue): Lane {
    const { id, priority, weight, downloadsAtOnce } = planned
    const lane: Lane = {
      planned,
      contender: { id, priority, weight, downloadsAtOnce, running: 0 },
      share: { bytesPerSecond: planned.limitBytesPerSecond ?? Number.POSITIVE_INFINITY },
      waiting: new HostLists((host) => this.#hasRoom(host)),
      span: 0,
      open: false,
      left: planned.tasks.length,
      runsLeft: planned.runs.length,
      outcome: { startsAt: null, endsAt: null, work: [], tasks: [], runs: [] },
      deadlineSeen: false,
    }
    const all = [...planned.tasks, ...planned.runs]
    all.forEach((task, index) => {
      const isRun = index >= planned.tasks.length
      const host = this.#host(task.host)
      const outcome: TaskOutcome = { startsAt: null, endsAt: null, bytesInTime: 0, filesInTime: 0 }
      lane.outcome[isRun ? 'runs' : 'tasks'].push(outcome)
      const job: Job = {
        ...{ task, index, isRun, queue: lane, outcome, leftBytes: task.leftBytes, readyAt: 0, bytesPerSecond: 0 },
        setupMs: task.running ? 0 : host.planned.setupMs * task.files,
        flow: {
          most: task.limitBytesPerSecond ?? Number.POSITIVE_INFINITY,
          shares: [this.#line, lane.share, host.share],
        },
      }
      if (task.notBefore !== null && task.notBefore > this.#now && !task.running) this.#later.push(job)
      else if (task.running || task.forced) this.#start(job)
      else lane.waiting.add(task.host, index, job)
    })
    return lane
  }

  #host(name: string) {
    let host = this.#hosts.get(name)
    if (!host) {
      const planned = this.#plan.host(name)
      host = { planned, share: { bytesPerSecond: planned.bytesPerSecond }, running: 0 }
      this.#hosts.set(name, host)
    }
    return host
  }

  #hasRoom(name: string): boolean {
    const { planned, running } = this.#host(name)
    return running < planned.downloads && planned.quietUntil <= this.#now
  }

  /** What the clock alone changes: windows, starts, limits of all, hosts that may be asked again. */
  #turn(): void {
    const { steps } = this.#plan
    while (this.#step + 1 < steps.length && steps[this.#step + 1]!.from <= this.#now) this.#step++
    this.#line.bytesPerSecond = steps[this.#step]!.bytesPerSecond
    while (this.#later.length > 0 && this.#later.at(-1)!.task.notBefore! <= this.#now) {
      const job = this.#later.pop()!
      if (job.task.forced) this.#start(job)
      else job.queue.waiting.add(job.task.host, job.index, job)
    }
    let spoke = false
    while (this.#quiets.length > 0 && this.#quiets.at(-1)! <= this.#now) {
      this.#quiets.pop()
      spoke = true
    }
    for (const lane of this.#lanes) {
      const { spans, deadline } = lane.planned
      while (lane.span < spans.length && (spans[lane.span]!.to ?? Infinity) <= this.#now) lane.span++
      const span = spans[lane.span]
      const isOpen = span !== undefined && (span.from ?? -Infinity) <= this.#now
      if (lane.open && !isOpen) this.#close(lane)
      lane.open = isOpen
      if (spoke) lane.waiting.lookAgain()
      if (deadline !== null && deadline <= this.#now) this.#lookAt(lane)
    }
  }

  /** What runs in a queue whose window closed goes back to its place in it. */
  #close(lane: Lane): void {
    const closing = this.#running.filter(({ queue, task }) => queue === lane && !task.forced)
    this.#running = this.#running.filter((job) => !closing.includes(job))
    for (const job of closing) {
      job.setupMs = Math.max(0, job.readyAt - this.#now)
      this.#leave(job)
      lane.waiting.add(job.task.host, job.index, job)
    }
  }

  #admit(): void {
    let free = this.#plan.steps[this.#step]!.places - this.#running.filter(({ task }) => !task.forced).length
    if (free <= 0) return
    const lanes = new Map(this.#lanes.filter(({ open }) => open).map((lane) => [lane.contender.id, lane]))
    const contenders = new Set([...lanes.values()].map(({ contender }) => contender))
    while (free > 0) {
      const contender = nextQueue([...contenders])
      if (!contender) return
      const job = lanes.get(contender.id)!.waiting.take()
      if (job === undefined) {
        contenders.delete(contender)
        continue
      }
      this.#start(job)
      free--
    }
  }

  #start(job: Job): void {
    job.queue.contender.running++
    this.#host(job.task.host).running++
    job.readyAt = this.#now + job.setupMs
    job.outcome.startsAt ??= this.#now
    if (!job.isRun) job.queue.outcome.startsAt ??= this.#now
    this.#running.push(job)
  }

  #leave(job: Job): void {
    job.queue.contender.running--
    this.#host(job.task.host).running--
    for (const lane of this.#lanes) lane.waiting.lookAgain(job.task.host)
  }

  #share(): void {
    const ready: Job[] = []
    for (const job of this.#running) {
      job.bytesPerSecond = 0
      if (job.readyAt <= this.#now) ready.push(job)
    }
    for (const [index, rate] of fairRates(ready.map(({ flow }) => flow)).entries()) ready[index]!.bytesPerSecond = rate
  }

  /** The moment at which something changes next. */
  #next(): number {
    let next = this.#plan.steps[this.#step + 1]?.from ?? Infinity
    for (const { task, readyAt, leftBytes, bytesPerSecond } of this.#running) {
      if (readyAt > this.#now) next = Math.min(next, readyAt)
      else if (bytesPerSecond > 0) next = Math.min(next, this.#now + (leftBytes / bytesPerSecond) * 1000)
      else if (this.#isMute(task.host)) next = Math.min(next, readyAt + PATIENCE_MS)
    }
    next = Math.min(next, this.#later.at(-1)?.task.notBefore ?? Infinity, this.#quiets.at(-1) ?? Infinity)
    let unfinished = this.#running.length > 0
    for (const { planned, span, open, left, runsLeft, deadlineSeen } of this.#lanes) {
      if (left + runsLeft === 0) continue
      unfinished = true
      const at = open ? planned.spans[span]?.to : planned.spans[span]?.from
      next = Math.min(next, at ?? Infinity)
      if (!deadlineSeen && planned.deadline !== null) next = Math.min(next, planned.deadline)
    }
    return unfinished ? next : Infinity
  }

  #advance(to: number): void {
    const seconds = (to - this.#now) / 1000
    const bytes = new Map<Lane, number>()
    const ended: Job[] = []
    for (const job of this.#running) {
      const got = Math.min(job.leftBytes, job.bytesPerSecond * seconds)
      job.leftBytes -= got
      bytes.set(job.queue, (bytes.get(job.queue) ?? 0) + got)
      // Less than a millisecond's worth is rounding.
      if (job.readyAt <= this.#now && job.leftBytes <= job.bytesPerSecond * 1e-3) ended.push(job)
    }
    for (const [lane, got] of bytes) addWork(lane.outcome.work, this.#now, to, got)
    this.#now = to
    this.#giveUp()
    if (ended.length === 0) return
    this.#running = this.#running.filter((job) => !ended.includes(job))
    for (const job of ended) {
      const work = job.queue.outcome.work.at(-1)
      if (work) work.bytes += job.leftBytes
      job.leftBytes = 0
      job.outcome.endsAt = to
      if (job.isRun) job.queue.runsLeft--
      else if (--job.queue.left === 0) job.queue.outcome.endsAt = to
      this.#leave(job)
    }
  }

  #isMute(host: string): boolean {
    return this.#host(host).planned.bytesPerSecond === 0
  }

  #giveUp(): void {
    const vain = this.#running.filter(
      ({ task, readyAt }) => this.#isMute(task.host) && readyAt + PATIENCE_MS <= this.#now,
    )
    if (vain.length === 0) return
    this.#running = this.#running.filter((job) => !vain.includes(job))
    this.#givenUp.push(...vain)
    for (const job of vain) this.#leave(job)
  }

  /** What of a queue is there by now, once: at its deadline or at the end. */
  #lookAt(lane: Lane): void {
    if (lane.deadlineSeen) return
    lane.deadlineSeen = true
    const left = new Map<TaskOutcome, number>()
    for (const { outcome, leftBytes } of [...this.#running, ...this.#givenUp, ...this.#later, ...lane.waiting.items])
      left.set(outcome, leftBytes)
    lane.planned.tasks.forEach(({ leftBytes, files }, index) => {
      const outcome = lane.outcome.tasks[index]!
      outcome.bytesInTime = leftBytes - (left.get(outcome) ?? 0)
      outcome.filesInTime = outcome.endsAt !== null ? files : Math.floor((files * outcome.bytesInTime) / leftBytes)
      if (files === 1 && outcome.endsAt === null) outcome.filesInTime = 0
    })
  }
}

function addWork(work: QueueOutcome['work'], from: number, to: number, bytes: number): void {
  if (bytes <= 0) return
  const last = work.at(-1)
  if (last && from - last.to <= BREAK_MS) {
    last.to = to
    last.bytes += bytes
  } else work.push({ from, to, bytes })
}
