/**
 * Writes the journal of what happens to downloads, where it happens: each event of the task machine that says something
 * about a night becomes an entry, in the same commit as the task's new state. What happens to queues, hosts and the
 * machine is in journal-watch.ts, what is made of it in night-report.ts.
 */
import type { ErrorInfo, ErrorParams } from '../../shared/errors.ts'
import { type JournalKind, type JournalParams, type NewJournalEntry, plainLink } from '../../shared/journal.ts'
import type { TaskPatch, TaskRecord, TaskStore } from '../../shared/records.ts'
import type { QueueId, TaskId } from '../../shared/schemas.ts'
import { hostOf } from './admission.ts'
import type { Clock, Logger } from './ports.ts'
import type { TaskEvent } from './task-machine.ts'
import { shownName } from './task-view.ts'

/** How a run went. */
export interface RunFacts {
  bytes: number
  ms: number
}

export interface JournalDeps {
  store: Pick<TaskStore, 'addToJournal'>
  clock: Pick<Clock, 'now'>
  logger: Logger
  /** false: nothing is written */
  isKept: () => boolean
  /** the queue that tasks with this number are in */
  queueOf: (id: QueueId) => QueueId
}

const NO_RUN: RunFacts = { bytes: 0, ms: 0 }

export class Journal {
  readonly #deps: JournalDeps
  /** how runs went that ended and whose end their task has not heard of yet */
  readonly #over = new Map<TaskId, RunFacts>()

  /** starts of downloads so far */
  starts = 0

  constructor(deps: JournalDeps) {
    this.#deps = deps
  }

  /** Something that concerns no single task. Answers its id; null: it was not written. */
  note<K extends JournalKind>(
    kind: K,
    params: JournalParams[K],
    at = this.#deps.clock.now(),
    code: string | null = null,
  ): number | null {
    return this.#write([{ at, kind, taskId: null, code, params } as NewJournalEntry])[0] ?? null
  }

  /** A run ended; what its task hears next says how. */
  over(id: TaskId, run: RunFacts): void {
    this.#over.set(id, run)
  }

  /** What tasks hear: as they were before the event, and what changes with it. `live`: how a run goes that it may end. */
  heard(
    tasks: readonly TaskRecord[],
    event: TaskEvent,
    patch: TaskPatch,
    live: (id: TaskId) => RunFacts | undefined,
  ): void {
    const at = this.#deps.clock.now()
    if (event.kind === 'admitted') this.starts += tasks.length
    if (event.kind === 'postponed') this.note('postponed', { count: tasks.length, startAt: event.retryAt }, at)
    this.#write(
      tasks.flatMap((task) => {
        const told = entryOf(task, event, patch, this.#over.get(task.id) ?? live(task.id) ?? NO_RUN)
        if (told === null) return []
        const facts = { ...this.#factsOf(task), ...told.params }
        return [{ at, kind: told.kind, taskId: task.id, code: told.code, params: facts } as NewJournalEntry]
      }),
    )
    if (event.kind !== 'progressed' && event.kind !== 'transferred') for (const { id } of tasks) this.#over.delete(id)
  }

  #factsOf(task: TaskRecord): { name: string; url: string; queueId: QueueId } {
    return { name: shownName(task), url: plainLink(task.url), queueId: this.#deps.queueOf(task.queueId) }
  }

  /** A journal that cannot be written must not stop what it tells of. */
  #write(entries: readonly NewJournalEntry[]): number[] {
    if (entries.length === 0 || !this.#deps.isKept()) return []
    try {
      return this.#deps.store.addToJournal(entries)
    } catch (error) {
      this.#deps.logger.warn({ error: String(error), entries: entries.length }, 'the journal could not be written')
      return []
    }
  }
}

interface Told {
  kind: JournalKind
  code: string | null
  params: Record<string, unknown>
}

/** What the journal says of an event; null: nothing. Pure. */
function entryOf(task: TaskRecord, event: TaskEvent, patch: TaskPatch, run: RunFacts): Told | null {
  const ran = task.state === 'active' || task.state === 'finishing'
  const troubled = task.error !== null
  switch (event.kind) {
    case 'admitted':
      return { kind: 'started', code: null, params: { host: hostOf(task) } }
    case 'published': {
      const { sizeBytes, writtenBytes, checksum } = { ...task, ...patch }
      const against = checksum?.verified
        ? { algorithm: checksum.algorithm, source: checksum.source, from: checksum.from && plainLink(checksum.from) }
        : null
      return { kind: 'finished', code: null, params: { ...run, sizeBytes: sizeBytes ?? writtenBytes, against } }
    }
    case 'failed':
      return event.retryAt === null
        ? failure('given_up', event.error, { ...run, tries: task.attempts + 1 })
        : failure('failed', event.error, { ...run, retryAt: event.retryAt })
    case 'turned':
      return failure('turned', event.error, { ...run })
    case 'secondChance':
      return failure('failed', event.error, { ...run, retryAt: event.retryAt, secondChance: true })
    case 'excused':
      return failure('deferred', event.error, {
        ...{ ...NO_RUN, retryAt: event.retryAt },
        ...(task.state === 'waiting' && task.error !== null && { instead: true }),
      })
    case 'deferred':
      return failure('deferred', event.error, { ...run, retryAt: event.retryAt })
    case 'remoteChanged':
      return failure('changed', event.error, { ...run })
    case 'suspended':
      return failure('suspended', event.error, { ...run })
    case 'damaged':
      return failure('damaged', event.error, {})
    case 'mended':
      return { kind: 'mended', code: null, params: {} }
    case 'decideRestart':
      return { kind: 'decided', code: null, params: { decision: 'restart' } }
    case 'decideKeep':
      return { kind: 'decided', code: null, params: { decision: 'keep' } }
    case 'pause':
      if (ran) return { kind: 'left', code: null, params: { ...run } }
      return troubled ? { kind: 'paused', code: task.error!.code, params: {} } : null
    case 'drained':
      return { kind: 'left', code: null, params: { ...run } }
    case 'postponed':
      return ran ? { kind: 'left', code: null, params: { ...run } } : null
    case 'retryDue':
      // Without an error its time to begin has come.
      return troubled ? { kind: 'retried', code: task.error!.code, params: {} } : null
    case 'released':
    case 'retry':
    case 'resume':
    case 'startOver':
      if (!troubled) return null
      return { kind: task.state === 'waiting' ? 'retried' : 'resumed', code: task.error!.code, params: {} }
    case 'progressed':
    case 'transferred':
    case 'recovered':
      return null
  }
}

function failure(kind: JournalKind, error: ErrorInfo, params: Record<string, unknown>): Told {
  return {
    kind,
    code: error.code,
    params: { ...params, message: withPlainLinks(error.message), error: plainParams(error.params) },
  }
}

export function plainParams(params: ErrorParams): ErrorParams {
  return Object.fromEntries(
    Object.entries(params).map(([key, value]) => [key, typeof value === 'string' ? withPlainLinks(value) : value]),
  )
}

/** Links in a sentence as a report may show them. */
export function withPlainLinks(text: string): string {
  return text.replace(/https?:\/\/[^\s“”"<>]+/gi, (link) => plainLink(link))
}
