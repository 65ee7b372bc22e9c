/** Queues of the fake engine: two, with windows that open and close as they would, and as many downloads as it says. */
import type { CurrentProfile } from '../../electron/engine/profile-choice.ts'
import { profileSpans, queueSpans } from '../../electron/engine/schedule-spans.ts'
import { windowState } from '../../electron/engine/window-times.ts'
import type { Contract } from '../../shared/contract.ts'
import { NighthaulError } from '../../shared/errors.ts'
import type { QueueForecast, TaskForecast } from '../../shared/forecast.ts'
import { DEFAULT_QUEUE_SETTINGS, type QueueSettings, type QueueView } from '../../shared/queues.ts'
import type { Handlers } from '../../shared/rpc.ts'
import { DEFAULT_QUEUE_ID, type QueueId, type TaskId } from '../../shared/schemas.ts'
import { parseWindows } from '../../shared/windows.ts'

const HOUR_MS = 3_600_000

type Fake = Pick<
  Handlers<Contract>,
  | 'queues.list'
  | 'queues.add'
  | 'queues.update'
  | 'queues.remove'
  | 'queues.makeUp'
  | 'schedule.windows'
  | 'schedule.forecast'
>

interface FakeQueue extends QueueSettings {
  id: QueueId
  name: string
  missedWindow: QueueView['missedWindow']
}

export interface FakeQueuesDeps {
  now: () => number
  /** its downloads that want bytes, and those that run */
  counts: (id: QueueId) => { open: number; running: number }
  /** the downloads of one queue go to another; how many they are */
  /** its downloads that want bytes, in order */
  openOf: (id: QueueId) => { id: TaskId; filename: string; sizeBytes: number | null; writtenBytes: number }[]
  moveAll: (from: QueueId, to: QueueId) => number
  /** which profile holds at an instant */
  profileAt: (instant: number) => CurrentProfile
  changed: (queues: QueueView[]) => void
}

/** One after the other, at 12.5 MB/s, from when its queue opens. */
function forecastOf(queue: QueueView, open: ReturnType<FakeQueuesDeps['openOf']>, now: number): QueueForecast {
  const opens = queue.hold === null ? now : queue.hold === 'window' ? queue.changesAt : null
  let at = opens
  const tasks = open.map(({ id, filename, sizeBytes, writtenBytes }): TaskForecast => {
    const leftBytes = (sizeBytes ?? 1e9) - writtenBytes
    const startsAt = at
    if (at !== null) at += leftBytes / 12_500
    return {
      ...{ id, name: filename, host: 'mirror.example', startsAt, endsAt: at, leftBytes, sizeKnown: sizeBytes !== null },
      inTime: null,
    }
  })
  const leftBytes = tasks.reduce((sum, task) => sum + task.leftBytes, 0)
  const isEmpty = tasks.length === 0
  return {
    ...{ id: queue.id, name: queue.name, startsAt: isEmpty ? null : opens, endsAt: isEmpty ? null : at },
    ...{ files: queue.open, sizesEstimated: 0, leftBytes, tasks, outlook: null },
    work: isEmpty || opens === null || at === null ? [] : [{ from: opens, to: at, bytes: leftBytes }],
  }
}

export function createFakeQueues({ now, counts, openOf, moveAll, profileAt, changed }: FakeQueuesDeps): Fake {
  let queues: FakeQueue[] = [
    { ...DEFAULT_QUEUE_SETTINGS, id: DEFAULT_QUEUE_ID, name: 'Default', missedWindow: null },
    { ...DEFAULT_QUEUE_SETTINGS, id: 2, name: 'Overnight', limitBytesPerSecond: 4_000_000, missedWindow: null },
  ]
  let nextId = 3
  const find = (id: QueueId): FakeQueue => {
    const queue = queues.find((candidate) => candidate.id === id)
    if (!queue) throw new NighthaulError('queue_not_found', `There is no queue ${id}. Nothing was changed.`, { id })
    return queue
  }
  const check = (name: string | undefined, id?: QueueId): void => {
    if (!queues.some((queue) => queue.id !== id && queue.name.toLowerCase() === name?.toLowerCase())) return
    throw new NighthaulError('queue_exists', `There is a queue “${name}” already. Nothing was changed.`)
  }
  const view = (queue: FakeQueue): QueueView => {
    const state = queue.windows && windowState(parseWindows(queue.windows), queue.timeZone ?? 'UTC', now())
    const hold = queue.stopped ? 'stopped' : state && !state.open ? 'window' : null
    const foretold = { outlook: null, lends: null }
    return { ...queue, hold, changesAt: state ? state.changesAt : null, ...counts(queue.id), ...foretold }
  }
  const place = (queue: FakeQueue, position: number | undefined): void => {
    if (position === undefined) return
    queues = queues.filter(({ id }) => id !== queue.id).toSpliced(position, 0, queue)
  }
  const list = (): QueueView[] => queues.map(view)
  const told = <T>(result: T): T => {
    changed(list())
    return result
  }
  return {
    'queues.list': list,
    'queues.add': ({ position, ...input }) => {
      check(input.name)
      const queue = { ...DEFAULT_QUEUE_SETTINGS, id: nextId++, missedWindow: null, ...input }
      queues = [...queues, queue]
      place(queue, position)
      return told(view(queue))
    },
    'queues.update': ({ id, patch: { position, ...patch } }) => {
      check(patch.name, id)
      const patched = { ...find(id), ...patch }
      queues = queues.map((queue) => (queue.id === id ? patched : queue))
      place(patched, position)
      return told(view(patched))
    },
    'queues.makeUp': ({ id, decision }) => {
      const queue = find(id)
      const lost = queue.missedWindow
      queue.missedWindow = lost && decision === 'run' ? { ...lost, until: now() + lost.to - lost.from } : null
      return told(view(queue))
    },
    'queues.remove': ({ id }) => {
      find(id)
      if (id === DEFAULT_QUEUE_ID) throw new NighthaulError('queue_is_default', 'The default queue cannot be removed.')
      queues = queues.filter((queue) => queue.id !== id)
      return told({ moved: moveAll(id, DEFAULT_QUEUE_ID) })
    },
    'schedule.forecast': ({ hours, tasks }) => ({
      ...{ at: now(), until: now() + hours * HOUR_MS, line: { bytesPerSecond: 12_500_000, basis: 'hour' } },
      repeats: [],
      queues: list().map((queue) => forecastOf(queue, openOf(queue.id).slice(0, tasks), now())),
    }),
    'schedule.windows': (input) => ({
      queues: queues.map((queue) => queueSpans({ ...queue, timeZone: queue.timeZone ?? 'UTC' }, input)),
      profiles: profileSpans(profileAt, input),
    }),
  }
}
