/** Queues of the fake engine: two, with windows that open and close as they would, and as many downloads as it says. */
import type { CurrentProfile } from '../../electron/engine/profile-choice.ts'
import { profileSpans, queueSpans } from '../../electron/engine/schedule-spans.ts'
import { windowState } from '../../electron/engine/window-times.ts'
import type { Contract } from '../../shared/contract.ts'
import { NighthaulError } from '../../shared/errors.ts'
import { DEFAULT_QUEUE_SETTINGS, type QueueSettings, type QueueView } from '../../shared/queues.ts'
import type { Handlers } from '../../shared/rpc.ts'
import { DEFAULT_QUEUE_ID, type QueueId } from '../../shared/schemas.ts'
import { parseWindows } from '../../shared/windows.ts'

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
  moveAll: (from: QueueId, to: QueueId) => number
  /** which profile holds at an instant */
  profileAt: (instant: number) => CurrentProfile
  changed: (queues: QueueView[]) => void
}

export function createFakeQueues({ now, counts, moveAll, profileAt, changed }: FakeQueuesDeps): Fake {
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
    // How long its downloads take is not known here.
    'schedule.forecast': ({ hours }) => ({
      ...{ at: now(), until: now() + hours * 3_600_000, line: { bytesPerSecond: 12_500_000, basis: 'hour' } },
      queues: queues.map(({ id, name }) => ({
        ...{ id, name, startsAt: null, endsAt: null, files: counts(id).open, sizesEstimated: 0, leftBytes: 0 },
        ...{ work: [], tasks: [], outlook: null },
      })),
    }),
    'schedule.windows': (input) => ({
      queues: queues.map((queue) => queueSpans({ ...queue, timeZone: queue.timeZone ?? 'UTC' }, input)),
      profiles: profileSpans(profileAt, input),
    }),
  }
}
