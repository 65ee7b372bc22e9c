/** `queue`: what its commands ask the engine and what they print. */
import { NighthaulError } from '../../shared/errors.ts'
import { formatCount, formatDuration, formatRate } from '../../shared/format.ts'
import type { QueueView } from '../../shared/queues.ts'
import { outlookText } from './forecast.ts'
import { type QueueFlags, queuePatch } from './queue-flags.ts'
import { queueNamed, withQueue } from './queue-session.ts'
import { printTable } from './table.ts'
import { print, printable, printJson } from './terminal.ts'

type JsonFlags = Pick<QueueFlags, 'json' | 'profile'>

/** What a queue is doing, in a few words. */
export function queueState({ hold, changesAt, running, open }: QueueView, now: number): string {
  const when = changesAt === null ? '' : ` in ${formatDuration(changesAt - now)}`
  if (hold === 'stopped') return 'stopped'
  if (hold === 'battery') return 'on battery'
  if (hold === 'window') return changesAt === null ? 'window closed' : `opens${when}`
  const work = open === 0 ? 'idle' : `${formatCount(running)} of ${formatCount(open)} running`
  return changesAt === null ? work : `${work}, closes${when}`
}

/** What it says about its downloads, where that is not usual. */
function rulesOf(queue: QueueView, now: number): string {
  return [
    queue.windows,
    queue.timeZone,
    queue.finishBy && (queue.outlook ? outlookText(queue.outlook, now) : `finish by ${queue.finishBy}`),
    queue.lends && 'does with less for a queue that has to be done',
    queue.limitBytesPerSecond && formatRate(queue.limitBytesPerSecond),
    queue.priority !== 0 && `priority ${queue.priority}`,
    queue.weight !== 1 && `weight ${queue.weight}`,
    queue.downloadsAtOnce && `${queue.downloadsAtOnce} at once`,
    queue.connections && `${queue.connections} connections`,
    queue.folder,
    queue.whenDone.length > 0 && `then ${queue.whenDone.map(({ kind }) => kind).join(', ')}`,
  ]
    .filter(Boolean)
    .join('; ')
}

export async function listQueues(flags: JsonFlags): Promise<number> {
  return withQueue(flags, async ({ client }) => {
    const queues = await client.call('queues.list')
    if (flags.json) return queues.forEach(printJson)
    const now = Date.now()
    printTable([
      ['ID', 'NAME', 'STATE', 'RULES'],
      ...queues.map((queue) => [String(queue.id), queue.name, queueState(queue, now), rulesOf(queue, now)]),
    ])
  })
}

export async function addQueue(name: string, flags: QueueFlags): Promise<number> {
  return withQueue(flags, async ({ client }) => {
    const queue = await client.call('queues.add', { ...queuePatch(flags), name })
    say(queue, flags, 'added')
  })
}

export async function setQueue(name: string, flags: QueueFlags): Promise<number> {
  const patch = queuePatch(flags)
  if (Object.keys(patch).length === 0)
    throw new NighthaulError('usage', 'Say what to change; nighthaul queue set --help lists the flags')
  return change(name, flags, patch, 'changed')
}

export async function stopQueue(name: string, flags: JsonFlags): Promise<number> {
  return change(name, flags, { stopped: true }, 'stopped; what ran keeps what it has')
}

export async function startQueue(name: string, flags: JsonFlags): Promise<number> {
  return change(name, flags, { stopped: false }, 'started')
}

async function change(
  name: string,
  flags: JsonFlags,
  patch: ReturnType<typeof queuePatch>,
  done: string,
): Promise<number> {
  return withQueue(flags, async ({ client }) => {
    const { id } = await queueNamed(client, name)
    say(await client.call('queues.update', { id, patch }), flags, done)
  })
}

function say(queue: QueueView, flags: JsonFlags, done: string): void {
  if (flags.json) printJson(queue)
  else print(`${printable(queue.name)}: ${done}`)
}

export async function removeQueue(name: string, flags: JsonFlags): Promise<number> {
  return withQueue(flags, async ({ client }) => {
    const queue = await queueNamed(client, name)
    const { moved } = await client.call('queues.remove', { id: queue.id })
    if (flags.json) return printJson({ id: queue.id, moved })
    const downloads = `${formatCount(moved)} ${moved === 1 ? 'download' : 'downloads'}`
    print(`${printable(queue.name)}: removed${moved > 0 ? `, ${downloads} moved to the default queue` : ''}`)
  })
}
