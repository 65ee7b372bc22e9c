/**
 * What happens when the work of a queue or of all is done: a notification, commands, webhooks, and after a countdown
 * that can be called off what happens to the machine. Machines are left alone while other downloads run.
 */
import type { Contract } from '../../shared/contract.ts'
import { NighthaulError, toErrorInfo } from '../../shared/errors.ts'
import { formatBytes } from '../../shared/format.ts'
import type { WhenDone as Action } from '../../shared/queues.ts'
import type { Handlers } from '../../shared/rpc.ts'
import type { Settings } from '../../shared/schemas.ts'
import { type Countdown, MACHINE_ACTIONS, type MachineAction, type WorkDone } from '../../shared/unattended.ts'
import type { Journal } from './journal.ts'
import type { Lane } from './lane/lane.ts'
import type { Notices } from './notices.ts'
import type { EngineDeps, Timer } from './ports.ts'
import type { Queues } from './queues.ts'
import { sleep } from './sleep.ts'
import type { FinishedWork } from './work-watch.ts'

const COMMAND_MS = 10 * 60_000
const WEBHOOK_MS = 30_000
/** before the second and the third try of a webhook */
const WEBHOOK_PAUSES_MS = [5_000, 60_000]
/** What a command may be told in one variable, on any system. */
const MOST_FILES_LENGTH = 16_000

export interface WhenDoneDeps extends Pick<EngineDeps, 'clock' | 'logger' | 'runProgram'> {
  settings: () => Settings
  queues: Pick<Queues, 'of'>
  notices: Notices
  journal: Pick<Journal, 'note'>
  /** stores the report as it is now: where it is; null: there is none */
  storeReport: () => Promise<string | null>
  lane: () => Lane
  /** downloads run, or are to begin in this night */
  isBusy: () => boolean
}

export class WhenDone {
  readonly #deps: WhenDoneDeps
  readonly countdownListeners = new Set<(countdown: Countdown | null) => void>()
  readonly doneListeners = new Set<(work: WorkDone) => void>()
  readonly actListeners = new Set<(act: { action: MachineAction }) => void>()
  readonly #stop = new AbortController()
  readonly #working = new Set<Promise<void>>()
  /** waits until nothing runs any more */
  #pending: { action: MachineAction; queue: string | null } | null = null
  #countdown: (Countdown & { timer: Timer }) | null = null

  constructor(deps: WhenDoneDeps) {
    this.#deps = deps
  }

  /** The work of a queue or of all is done. */
  finished(work: FinishedWork): void {
    const { settings, queues, logger } = this.#deps
    const actions = work.queueId === null ? settings().whenDone : queues.of(work.queueId).whenDone
    if (actions.length === 0) return
    const { files: _files, ...facts } = work
    logger.info({ ...facts, actions: actions.map(({ kind }) => kind) }, 'the work is done')
    const acting = this.#act(work, actions).finally(() => this.#working.delete(acting))
    this.#working.add(acting)
  }

  async #act(work: FinishedWork, actions: readonly Action[]): Promise<void> {
    const isReported = actions.some(({ kind }) => kind === 'command' || kind === 'webhook')
    const report = actions.some(({ kind }) => kind === 'command') ? await this.#deps.storeReport() : null
    for (const action of actions) {
      if (action.kind === 'notify') this.#notify(work)
      if (action.kind === 'command') await this.#command(work, action.program, action.args, report)
      if (action.kind === 'webhook') await this.#webhook(work, action.url)
    }
    // How they ended is a part of it, also where the machine goes off next.
    if (isReported && !this.#stop.signal.aborted) await this.#deps.storeReport()
    const machine = MACHINE_ACTIONS.findLast((kind) => actions.some((action) => action.kind === kind))
    if (!machine || this.#stop.signal.aborted) return
    const stronger = Math.max(MACHINE_ACTIONS.indexOf(machine), MACHINE_ACTIONS.indexOf(this.#wanted ?? machine))
    this.#callOff()
    this.#pending = { action: MACHINE_ACTIONS[stronger]!, queue: work.queue }
    this.step()
  }

  get #wanted(): MachineAction | null {
    return this.#pending?.action ?? this.#countdown?.action ?? null
  }

  #notify(work: WorkDone): void {
    const { queue, done, failed, left, bytes } = work
    const counts = { done, failed: failed + left, bytes: formatBytes(bytes) }
    if (queue === null) this.#deps.notices.replace('all_done', counts)
    else this.#deps.notices.replace('queue_done', { queue, ...counts })
    const { files: _files, ...told } = work as FinishedWork
    for (const listener of this.doneListeners) listener(told)
  }

  async #command(work: FinishedWork, program: string, args: readonly string[], report: string | null): Promise<void> {
    const { runProgram, logger, notices, journal } = this.#deps
    const { queueId: workOf, queue } = work
    let exitCode: number | null = null
    try {
      const { code, output } = await runProgram({
        ...{ program, args, env: environmentOf(work, report), timeoutMs: COMMAND_MS, signal: this.#stop.signal },
      })
      exitCode = code
      logger.info({ program, code, output }, 'a command that was to run when done has ended')
      if (code === 0) journal.note('command_ended', { workOf, queue, program, exitCode, reason: '' })
      else throw new Error(`It ended with code ${code}; what it wrote is in the log.`)
    } catch (error) {
      if (this.#stop.signal.aborted) return
      const { message } = toErrorInfo(error)
      logger.error({ program, error: message }, 'a command that was to run when done failed')
      journal.note('command_ended', { workOf, queue, program, exitCode, reason: message })
      notices.replace('done_command_failed', { program, reason: message })
    }
  }

  async #webhook(work: WorkDone, url: string): Promise<void> {
    const { logger, notices, clock, journal } = this.#deps
    const { origin } = new URL(url)
    const facts = { workOf: work.queueId, queue: work.queue, origin }
    for (let tries = 0; ; tries++) {
      try {
        const status = await this.#post(work, url)
        journal.note('webhook_told', { ...facts, status, tries: tries + 1, reason: '' })
        return logger.info({ origin, status }, 'a webhook was told that the work is done')
      } catch (error) {
        if (this.#stop.signal.aborted) return
        const { message } = toErrorInfo(error)
        logger.warn({ origin, tries: tries + 1, error: message }, 'a webhook could not be told that the work is done')
        const pause = WEBHOOK_PAUSES_MS[tries]
        // The address may hold a secret: only who it is goes into the notice.
        if (pause === undefined) {
          const status = error instanceof NighthaulError ? error.params.status : null
          const answered = typeof status === 'number' ? status : null
          journal.note('webhook_told', { ...facts, status: answered, tries: tries + 1, reason: message })
          return notices.replace('done_webhook_failed', { origin, reason: message })
        }
        await sleep(clock, pause, this.#stop.signal).catch(() => undefined)
      }
    }
  }

  async #post(work: WorkDone, url: string): Promise<number> {
    const { lane, clock } = this.#deps
    const limit = new AbortController()
    const timer = clock.setTimeout(
      () => limit.abort(new NighthaulError('headers_timeout', 'It did not answer in time.')),
      WEBHOOK_MS,
    )
    try {
      const reply = await lane().request({
        ...{ url, home: url, headers: { 'content-type': 'application/json' }, buckets: [], queuedMs: 0 },
        options: { method: 'POST', body: { text: `${JSON.stringify(payloadOf(work))}\n` }, netrcFile: '' },
        multiplex: false,
        signal: AbortSignal.any([limit.signal, this.#stop.signal]),
      })
      reply.abort()
      if (reply.status < 200 || reply.status > 299)
        throw new NighthaulError('http_status', `It answered with status ${reply.status}.`, { status: reply.status })
      return reply.status
    } finally {
      timer.cancel()
    }
  }

  // ── what happens to the machine ──

  /** Looks whether it is time: once nothing runs any more. Work that begins puts it off. */
  step(): void {
    const { isBusy, clock, settings } = this.#deps
    if (this.#countdown && isBusy()) {
      const { action, queue } = this.#countdown
      this.#callOff()
      this.#pending = { action, queue }
    }
    if (!this.#pending || isBusy()) return
    const seconds = settings().countdownSeconds
    const pending = this.#pending
    this.#pending = null
    const timer = clock.setTimeout(() => this.#go(), seconds * 1_000)
    this.#countdown = { ...pending, endsAt: clock.now() + seconds * 1_000, timer }
    this.#tellCountdown()
  }

  #go(): void {
    const { isBusy, logger } = this.#deps
    if (!this.#countdown) return
    // Something began in the very last moment.
    if (isBusy()) {
      this.step()
      return
    }
    const { action } = this.#countdown
    this.#callOff()
    logger.info({ action }, 'the work is done: now to the machine')
    for (const listener of this.actListeners) listener({ action })
  }

  /** False: there was nothing to call off. */
  #callOff(): boolean {
    const was = this.#wanted !== null
    const counted = this.#countdown
    counted?.timer.cancel()
    this.#countdown = null
    this.#pending = null
    if (counted) this.#tellCountdown()
    return was
  }

  #tellCountdown(): void {
    for (const listener of this.countdownListeners) listener(this.#shown)
  }

  get #shown(): Countdown | null {
    if (!this.#countdown) return null
    const { action, queue, endsAt } = this.#countdown
    return { action, queue, endsAt }
  }

  get isCounting(): boolean {
    return this.#countdown !== null || this.#working.size > 0
  }

  get handlers(): Pick<Handlers<Contract>, 'countdown.get' | 'countdown.cancel'> {
    return {
      'countdown.get': () => this.#shown,
      'countdown.cancel': () => ({ cancelled: this.#callOff() }),
    }
  }

  /** The engine ends: what runs is ended with it. */
  async drain(): Promise<void> {
    this.#stop.abort(new NighthaulError('interrupted', 'Nighthaul is about to quit.'))
    this.#callOff()
    await Promise.all(this.#working)
  }
}

/** What a command finds in its environment, beside what Nighthaul itself has there. `report`: where that is. */
export function environmentOf(work: FinishedWork, report: string | null): Record<string, string> {
  let files = ''
  let left = 0
  for (const path of work.files) {
    if (files.length + path.length < MOST_FILES_LENGTH) files += `${files && '\n'}${path}`
    else left++
  }
  return {
    NIGHTHAUL_EVENT: work.queueId === null ? 'all-done' : 'queue-done',
    NIGHTHAUL_QUEUE: work.queue ?? '',
    NIGHTHAUL_QUEUE_ID: String(work.queueId ?? ''),
    NIGHTHAUL_DONE: String(work.done),
    NIGHTHAUL_FAILED: String(work.failed),
    NIGHTHAUL_LEFT: String(work.left),
    NIGHTHAUL_BYTES: String(work.bytes),
    NIGHTHAUL_STARTED_AT: new Date(work.startedAt).toISOString(),
    NIGHTHAUL_ENDED_AT: new Date(work.endedAt).toISOString(),
    NIGHTHAUL_FILES: files,
    ...(report !== null && { NIGHTHAUL_REPORT: report }),
    NIGHTHAUL_FILES_LEFT_OUT: String(left + work.done - work.files.length),
  }
}

function payloadOf({ queueId, queue, startedAt, endedAt, done, failed, left, bytes }: WorkDone) {
  return {
    event: queueId === null ? 'all-done' : 'queue-done',
    queue: queueId === null ? null : { id: queueId, name: queue },
    ...{ done, failed, left, bytes },
    startedAt: new Date(startedAt).toISOString(),
    endedAt: new Date(endedAt).toISOString(),
  }
}
