/** Small downloads that are cut between every two of their operations: what must be true of what is left. */

import type { SettingsPatch } from '../../shared/schemas.ts'
import { contentBytes } from '../helpers/bytes.ts'
import { type FaultServer, faults } from '../helpers/fault-server.ts'
import { emptyImage, filesIn, type Image, volumeWith } from './disk-image.ts'
import {
  cut,
  durableBytes,
  FOLDER,
  firstState,
  type Life,
  live,
  OTHER_ROOT,
  ROOT,
  type State,
  type Surroundings,
} from './lives.ts'
import { seeded } from './seeded.ts'

const MIB = 1024 * 1024
/** Something that a file was before it changed on the server. */
const EARLIER_SEED = 77
/** So much of it comes. */
const EARLIER_ENDS_AT = 900_000

interface Source {
  path: string
  size: number
  rateBytesPerSecond?: number
  /** comes without a length, and cannot be asked for in parts */
  unknownLength?: boolean
  /** it was another file of this size until `changed`, and nothing but its bytes tells */
  earlierBytes?: number
}

interface Shape {
  name: string
  connections: number
  sources: Source[]
  settings?: SettingsPatch
  /** what happens beside the first life's downloads */
  beside?: (surroundings: Surroundings, urls: readonly string[], changed: () => void) => Promise<void>
  /** what somebody else puts under the first source's name */
  anothers?: Buffer
  /** it is there before the first life */
  isOlder?: boolean
  /** has many moments, of which `npm test` cuts at some */
  isLong?: boolean
}

export interface Scenario extends Shape {
  durability: 'strict' | 'background'
}

const SHAPES: Shape[] = [
  {
    name: 'one segment',
    connections: 1,
    sources: [{ path: '/one', size: MIB + 777, rateBytesPerSecond: 16 * MIB }],
  },
  {
    name: 'several segments',
    connections: 4,
    sources: [{ path: '/many', size: 3 * MIB + 1, rateBytesPerSecond: 16 * MIB }],
  },
  {
    name: 'small files',
    connections: 1,
    sources: [
      { path: '/a', size: 1000 },
      { path: '/b', size: 70_000 },
      { path: '/c', size: 513 },
      { path: '/empty', size: 0 },
    ],
  },
  {
    name: 'unknown length',
    connections: 1,
    sources: [{ path: '/unknown', size: MIB + 12_345, rateBytesPerSecond: 20 * MIB, unknownLength: true }],
  },
  {
    name: 'paused, resumed, another one removed',
    connections: 1,
    sources: [{ path: '/paused', size: 300_000, rateBytesPerSecond: 5 * MIB }],
    async beside({ engine, promise }, [url]) {
      const id = (await engine.call('tasks.list', {})).rows[0]!.id
      const other = await engine.add(`${url}-removed`, {})
      await engine.untilTask(id, ({ writtenBytes }) => writtenBytes > 0)
      const { count } = await engine.call('tasks.pause', { selection: { ids: [id] } })
      // On a busy machine it may have been about to be done: then nothing was promised.
      const resumed = count === 1 ? promise('it is paused', (found) => found.get(url!) === 'paused') : () => {}
      await engine.call('tasks.remove', { selection: { ids: [other] }, deleteFiles: true })
      promise('the other one is gone', (found) => !found.has(`${url}-removed`))
      resumed()
      await engine.call('tasks.resume', { selection: { ids: [id] } })
    },
  },
  {
    name: 'another file takes the name',
    connections: 1,
    sources: [{ path: '/taken', size: 200_000, rateBytesPerSecond: 4 * MIB }],
    async beside({ engine, disk: { fs } }) {
      const id = (await engine.call('tasks.list', {})).rows[0]!.id
      await engine.untilTask(id, ({ writtenBytes }) => writtenBytes > 0)
      // On a busy machine the download may have been faster.
      if (await fs.stat(`${FOLDER}/taken`)) return
      const other = await fs.open(`${FOLDER}/taken`, 'create')
      await other.close()
      await fs.syncFolder(FOLDER)
    },
    anothers: Buffer.alloc(0),
  },
  {
    name: 'an older file is overwritten',
    connections: 1,
    sources: [{ path: '/older', size: 200_000, rateBytesPerSecond: 8 * MIB }],
    settings: { onConflict: 'overwrite' },
    anothers: Buffer.from('what was there before'),
    isOlder: true,
  },
  {
    name: 'moved while it comes and when it is done, over one and two volumes',
    connections: 1,
    sources: [
      { path: '/done', size: 150_000 },
      { path: '/coming', size: MIB + 100_000, rateBytesPerSecond: 5 * MIB },
    ],
    async beside({ engine }) {
      const [done, coming] = (await engine.call('tasks.list', {})).rows.map(({ id }) => id).sort((a, b) => a - b)
      const move = async (id: number, to: string) => {
        const { failed } = await engine.call('tasks.move', { ids: [id], to })
        if (failed[0]) throw new Error(failed[0].error.message)
      }
      await engine.until(done!, 'done')
      await move(done!, `${ROOT}/shelf/`)
      await engine.untilTask(coming!, ({ writtenBytes }) => writtenBytes > 100_000)
      await move(coming!, `${OTHER_ROOT}/shelf/`)
      await move(done!, `${OTHER_ROOT}/shelf/`)
    },
    isLong: true,
  },
  {
    name: 'begun anew, because the file is another one',
    connections: 1,
    sources: [
      { path: '/another', size: MIB + 200_000, rateBytesPerSecond: 4 * MIB, earlierBytes: MIB + 200_000 },
      { path: '/shorter', size: 50_000, rateBytesPerSecond: 4 * MIB, earlierBytes: MIB + 200_000 },
    ],
    settings: { onChange: 'restart' },
    async beside({ engine }, _urls, changed) {
      const ids = (await engine.call('tasks.list', {})).rows.map(({ id }) => id)
      for (const id of ids)
        await engine.untilTask(id, ({ segments }) => segments.some(({ durableBytes }) => durableBytes > 600_000))
      await engine.call('tasks.pause', { selection: { ids } })
      for (const id of ids) await engine.untilTask(id, ({ connections }) => connections === 0)
      changed()
      await engine.call('tasks.resume', { selection: { ids } })
    },
    isLong: true,
  },
]

export const SCENARIOS: Scenario[] = (['strict', 'background'] as const).flatMap((durability) =>
  SHAPES.map((shape) => ({ ...shape, durability, name: `${durability}, ${shape.name}` })),
)

export interface CutCounts {
  moments: number
  cuts: number
}

/**
 * Cuts at every moment, or at every so many of them. Throws with the seed and the moment of the first cut after which
 * something is not as it must be.
 */
export async function cutEverywhere(
  server: FaultServer,
  { durability, connections, sources, name, settings, beside, anothers, isOlder, isLong }: Scenario,
  seeds: readonly number[],
  every = 1,
): Promise<CutCounts> {
  const contents = sources.map(({ size }, seed) => contentBytes(seed, 0, size))
  const urls = sources.map(({ path }) => server.url(path))
  const serve = (shaped: boolean) =>
    sources.forEach(({ path, size, rateBytesPerSecond, unknownLength, earlierBytes }, seed) => {
      server.add(path, { size, seed, ...(shaped && rateBytesPerSecond && { rateBytesPerSecond }) })
      server.fault(path, unknownLength ? () => [faults.ignoreRange(), faults.noLength('chunked')] : null)
      if (earlierBytes === undefined) return
      server.fault(path, () => [faults.noValidators(), ...(shaped ? [faults.stallAt(EARLIER_ENDS_AT)] : [])])
      if (shaped) server.add(path, { size: earlierBytes, seed: EARLIER_SEED, rateBytesPerSecond })
    })
  const bytesInAll = sources.reduce((sum, { size }) => sum + size, 0)
  const hasAll = (image: Image) => filesIn(image).size >= sources.length
  const run = (state: State, bootId: string, ...rest: [typeof beside?]) =>
    live(state, bootId, urls, { connections }, async (surroundings) =>
      rest[0]?.(surroundings, urls, () => serve(false)),
    )
  const isSource = (bytes: Buffer) => contents.some((content) => content.equals(bytes))
  const isAnothers = (path: string, bytes: Buffer) =>
    anothers !== undefined && path === `${FOLDER}${sources[0]!.path}` && bytes.equals(anothers)
  const noWrongFile = (image: Image) => {
    for (const [path, bytes] of filesIn(image))
      if (!/\.(part|moving)$/.test(path) && !isSource(bytes) && !isAnothers(path, bytes))
        throw new Error(`${path} holds wrong bytes`)
  }
  const allThere = ({ tasks, image }: Life) => {
    const files = filesIn(image)
    if (
      tasks
        .map(({ url }) => url)
        .sort()
        .join() !== [...urls].sort().join()
    )
      throw new Error(`the tasks are ${tasks.map(({ url }) => url).join()}`)
    for (const { url, state, error, path } of tasks) {
      if (state !== 'done') throw new Error(`${url} is ${state}: ${JSON.stringify(error)}`)
      if (!files.get(path!)?.equals(contents[urls.indexOf(url)]!)) throw new Error(`${path} is not as its source`)
    }
    noWrongFile(image)
  }

  serve(true)
  const volume = isOlder ? volumeWith(`${FOLDER}${sources[0]!.path}`, anothers!) : emptyImage(ROOT, OTHER_ROOT)
  const first = await run(firstState({ durability, ...settings }, volume), 'boot-1', beside)
  allThere(first)
  serve(false)
  let cuts = 0
  for (const seed of seeds)
    for (let moment = seed % every; moment < first.moments.length; moment += every) {
      const random = seeded(seed * 1_000_003 + moment)
      try {
        let life = first
        let at = moment
        // Every fourth time the next life is cut as well.
        for (let boot = 2; ; boot++) {
          const left = cut(life, at, random)
          cuts++
          if (durability === 'strict') noWrongFile(left.image)
          const asked = server.requests.length
          const next = await run(left, `boot-${boot}`)
          // With several connections the last bytes are raced for; without parts there is no going on; others begin anew.
          if (
            connections === 1 &&
            !isLong &&
            sources.every(({ unknownLength }) => !unknownLength) &&
            hasAll(left.image)
          ) {
            const sent = server.requests.slice(asked).reduce((sum, { bytesSent }) => sum + bytesSent, 0)
            const most = bytesInAll - durableBytes(left)
            if (sent > most) throw new Error(`${sent} bytes were fetched, of which at most ${most} were missing`)
          }
          for (const { what, from, to, holds } of life.promises)
            if (from <= at && at < to && !holds(next.found)) throw new Error(`it is not true any more that ${what}`)
          allThere(next)
          if (boot > 3 || random() > 0.25) break
          life = next
          at = Math.floor(random() * next.moments.length)
        }
      } catch (error) {
        const before = first.operations.slice(0, first.moments[moment]!.operations).slice(-4)
        const done = before.map(({ kind, ...rest }) => `${kind} ${'name' in rest ? rest.name : ''}`).join(', ')
        throw new Error(
          `${name}, seed ${seed}, cut at ${moment} of ${first.moments.length} (after ${done}): ${error}`,
          {
            cause: error,
          },
        )
      }
    }
  return { moments: first.moments.length, cuts }
}
