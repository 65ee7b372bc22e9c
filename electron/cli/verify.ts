/** `verify` and `repair`: files compared with the checksums kept while they came, and set right where they differ. */
import { createLogUpdate } from 'log-update'
import { type ErrorInfo, exitCodeOf, NighthaulError, toErrorInfo } from '../../shared/errors.ts'
import { formatBytes } from '../../shared/format.ts'
import type { TaskId, TaskRow } from '../../shared/schemas.ts'
import { progressLine, verifyingLine } from './lines.ts'
import { parseTaskId } from './parse.ts'
import type { GlobalFlags } from './program.ts'
import { openQueue, type Queue, sayWhenItStarts } from './queue-session.ts'
import { onInterruption, print, printable, printJson, say } from './terminal.ts'
import { exitCodeOfVerdict, verificationSentence } from './verification-lines.ts'

type Flags = GlobalFlags & { json?: true }

const JSON_EVERY_MS = 1_000

export function verify(args: string[], flags: Flags): Promise<number> {
  return forEach(args, flags, async (session, id, name) => {
    const found = await session.ask(id, (client) => client.call('tasks.verify', { id }))
    session.clear()
    if (flags.json) printJson({ type: 'verified', id, ...found })
    else print(verificationSentence(name, found))
    if (!flags.json && found.verdict === 'damaged')
      say(`nighthaul: “nighthaul repair ${id}” fetches what differs again`)
    return exitCodeOfVerdict(found)
  })
}

export function repair(args: string[], flags: Flags): Promise<number> {
  return forEach(args, flags, async (session, id, name) => {
    const { queue } = session
    const { repair: what, bytes, verification } = await session.ask(id, (client) => client.call('tasks.repair', { id }))
    session.clear()
    if (what === 'nothing') {
      if (flags.json) printJson({ type: 'repaired', id, bytes: 0, verification })
      else print(verificationSentence(name, verification))
      return exitCodeOfVerdict(verification)
    }
    if (what === 'marked' || !queue.owned) {
      if (flags.json) printJson({ type: 'marked', id, bytes, verification })
      else
        print(
          `${printable(name)}: ${formatBytes(bytes)} will be fetched again${what === 'marked' ? ' when it goes on' : ''}`,
        )
      if (what === 'fetching') sayWhenItStarts(queue)
      return 0
    }
    const task = await session.untilEnded(id)
    session.clear()
    if (task.state !== 'done')
      throw task.error
        ? NighthaulError.from(task.error)
        : new NighthaulError('task_state', `The repair was ${task.state}; what came so far is kept.`, { id })
    const after = (await queue.client.call('tasks.get', { id })).verification ?? verification
    if (flags.json) printJson({ type: 'repaired', id, bytes, verification: after })
    else print(`${verificationSentence(name, after)}; ${formatBytes(bytes)} were fetched again`)
    return exitCodeOfVerdict(after)
  })
}

/** One after the other; what goes wrong with one is said, and the others follow. Answers the first exit code but 0. */
async function forEach(
  args: string[],
  flags: Flags,
  work: (session: Session, id: TaskId, name: string) => Promise<number>,
): Promise<number> {
  const ids = [...new Set(args.map(parseTaskId))]
  const queue = await openQueue(flags.profile)
  const interruption = onInterruption()
  const session = new Session(queue, flags.json === true, interruption.signal)
  let exitCode = 0
  try {
    await session.listen()
    const names = new Map<TaskId, string>()
    // A mistyped id must not be half obeyed.
    for (const id of ids) names.set(id, (await queue.client.call('tasks.get', { id })).filename)
    for (const [id, name] of names) {
      const code = await work(session, id, name).catch((error: unknown) => session.failed(id, name, toErrorInfo(error)))
      exitCode ||= code
      if (interruption.signal.aborted) break
    }
    return exitCode
  } finally {
    session.clear()
    interruption.dispose()
    await queue.close()
  }
}

/** What one command hears of the tasks it works on, and shows of them while they take their time. */
class Session {
  readonly queue: Queue
  readonly #json: boolean
  readonly #signal: AbortSignal
  readonly #live = process.stderr.isTTY ? createLogUpdate(process.stderr) : null
  #heard: (row: TaskRow | undefined) => void = () => {}
  #following: TaskId | null = null
  #printedAt = 0

  constructor(queue: Queue, json: boolean, signal: AbortSignal) {
    this.queue = queue
    this.#json = json
    this.#signal = signal
  }

  async listen(): Promise<void> {
    await this.queue.client.subscribe('tasks.changed', (delta) => {
      const row = delta.rows.find(({ id }) => id === this.#following)
      if (row) this.#show(row)
      if (row || (delta.rows.length === 0 && delta.listChanged)) this.#heard(row)
    })
  }

  /** Shows how the comparison that this call makes goes on; Ctrl-C ends it. */
  async ask<T>(id: TaskId, call: (client: Queue['client']) => Promise<T>): Promise<T> {
    const { client } = this.queue
    this.#following = id
    // What was stopped tells so itself, through the call.
    const stop = () => void client.call('tasks.stopVerifying', { selection: { ids: [id] } }).catch(() => {})
    this.#signal.addEventListener('abort', stop, { once: true })
    try {
      this.#signal.throwIfAborted()
      return await call(client)
    } finally {
      this.#signal.removeEventListener('abort', stop)
    }
  }

  /** Resolves when nothing more happens with the task by itself, or not before its second chance in minutes or hours. */
  async untilEnded(id: TaskId): Promise<TaskRow> {
    this.#following = id
    for (;;) {
      const changed = new Promise<void>((resolve, reject) => {
        this.#heard = () => resolve()
        this.#signal.addEventListener('abort', () => reject(this.#signal.reason), { once: true })
      })
      const row = await this.queue.client.call('tasks.get', { id })
      if (row.state === 'done' || row.state === 'failed' || row.state === 'changed' || row.state === 'paused')
        return row
      if (row.state === 'waiting' && row.secondChances > 0 && row.attempts === 0) return row
      await changed
    }
  }

  failed(id: TaskId, name: string, { code, message }: ErrorInfo): number {
    this.clear()
    if (this.#json) printJson({ type: 'failed', id, code, message })
    else say(`nighthaul: ${printable(name)}: ${printable(message)}`)
    return exitCodeOf(code)
  }

  clear(): void {
    this.#live?.clear()
    this.#following = null
  }

  #show(row: TaskRow): void {
    const { id, verifying } = row
    const columns = process.stderr.columns || 80
    if (this.#live)
      this.#live(verifying ? verifyingLine(row.filename, verifying, columns) : progressLine(row, columns, Date.now()))
    if (!this.#json || performance.now() - this.#printedAt < JSON_EVERY_MS) return
    this.#printedAt = performance.now()
    if (verifying) printJson({ type: 'verifying', id, ...verifying })
    else
      printJson({
        type: 'progress',
        id,
        bytes: row.writtenBytes,
        size: row.sizeBytes,
        bytesPerSecond: row.bytesPerSecond,
      })
  }
}
