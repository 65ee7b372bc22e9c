/**
 * Lives of an engine on a volatile disk: each goes from a state of disk and database to the end of all downloads, and
 * may be cut anywhere afterwards. What a cut leaves is the state from which the next life begins, under another boot.
 */
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import Database from 'better-sqlite3'
import { openStore } from '../../electron/store/index.ts'
import type { TaskStore } from '../../shared/records.ts'
import { BLOCK_BYTES } from '../../shared/records.ts'
import type { SettingsPatch, TaskDetail, TaskOptions } from '../../shared/schemas.ts'
import type { TaskState } from '../../shared/task-state.ts'
import { startEngine, type TestEngine } from '../helpers/engine.ts'
import { copyImage, type Image, type Operation, survivors } from './disk-image.ts'
import { createVolatileDisk, type VolatileDisk } from './volatile-disk.ts'
import { commitEnds, type DatabaseImage, tearLog, type WalMark, witnessWal } from './wal-witness.ts'

export const FOLDER = '/volume/downloads'
export const ROOT = '/volume'
export const OTHER_ROOT = '/other'

export interface State {
  image: Image
  database: DatabaseImage
}

/** Between two operations: so many had happened, and this much of the store's log was there. */
interface Moment {
  operations: number
  wal: WalMark
}

export interface Life {
  from: State
  operations: readonly Operation[]
  /** as it was at first, with its log as it was at last */
  database: DatabaseImage
  moments: Moment[]
  /** the queue as it was found: URL and state */
  found: Map<string, TaskState>
  /** what somebody was told, from which moment to which it held: after a cut in between it still does */
  promises: Promised[]
  /** how it ended */
  tasks: TaskDetail[]
  image: Image
}

export interface Promised {
  what: string
  from: number
  to: number
  holds: (found: ReadonlyMap<string, TaskState>) => boolean
}

/** What happens beside the downloads of a life, after they were added. */
export interface Surroundings {
  engine: TestEngine
  disk: VolatileDisk
  /** holds from now on; the result ends it */
  promise(what: string, holds: Promised['holds']): () => void
}

/** A volume and a new profile with these settings. */
export function firstState(settings: SettingsPatch, image: Image): State {
  const profile = mkdtempSync(join(tmpdir(), 'nighthaul-life-'))
  try {
    const path = join(profile, 'nighthaul.db')
    const { store } = openStore({ path, now: Date.now })
    store.setSettings(settings)
    store.close()
    return { image, database: { main: readFileSync(path), log: Buffer.alloc(0) } }
  } finally {
    rmSync(profile, { recursive: true })
  }
}

/** Starts an engine on the state, adds what it does not know yet, and lets it finish everything. */
export async function live(
  from: State,
  bootId: string,
  urls: readonly string[],
  options: TaskOptions,
  beside: (surroundings: Surroundings) => Promise<void> = async () => {},
): Promise<Life> {
  const profile = mkdtempSync(join(tmpdir(), 'nighthaul-life-'))
  const path = join(profile, 'nighthaul.db')
  writeFileSync(path, from.database.main)
  if (from.database.log.length > 0) {
    writeFileSync(`${path}-wal`, from.database.log)
    // SQLite recovers what it finds, and empties the log.
    const db = new Database(path)
    db.pragma('wal_checkpoint(TRUNCATE)')
    db.close()
  }
  const moments: Moment[] = []
  const happened = () => moments.push({ operations: disk.operations.length, wal: witness.mark() })
  const disk = createVolatileDisk(from.image, happened)
  using witness = witnessWal(path, happened)
  const promises: Promised[] = []
  const promise: Surroundings['promise'] = (what, holds) => {
    const promised = { what, holds, from: moments.length, to: Number.POSITIVE_INFINITY }
    promises.push(promised)
    return () => {
      promised.to = moments.length
    }
  }
  try {
    let store: TaskStore | null = null
    const wrapStore = (real: TaskStore) => (store = real)
    await using engine = await startEngine({
      fs: disk.fs,
      from: { profile, folder: FOLDER },
      bootId,
      workers: true,
      wrapStore,
    })
    const found = new Map((await engine.call('tasks.list', {})).rows.map(({ url, state }) => [url, state]))
    for (const url of urls) {
      if (!found.has(url)) await engine.add(url, options)
      promise(`${url} is in the queue`, (later) => later.has(url))
    }
    const rest = (await engine.call('tasks.list', {})).rows.filter(({ url }) => !urls.includes(url))
    await engine.call('tasks.remove', { selection: { ids: rest.map(({ id }) => id) }, deleteFiles: true })
    await engine.call('tasks.resume', { selection: { filter: { states: ['paused'] } } })
    await beside({ engine, disk, promise })
    const ids = (await engine.call('tasks.list', {})).rows.map(({ id }) => id)
    for (const id of ids)
      await engine.untilTask(id, (t) => t.durable || ['failed', 'changed', 'paused'].includes(t.state))
    while (store!.relocating().length > 0) await engine.ticks(1)
    const tasks = await Promise.all(ids.map((id) => engine.get(id)))
    happened()
    return {
      ...{ from, moments, found, promises, tasks },
      operations: [...disk.operations],
      database: witness.image(),
      image: copyImage(disk.image),
    }
  } finally {
    rmSync(profile, { recursive: true, force: true })
  }
}

/** Bytes that are there whatever happened: in whole blocks below the durable mark. */
export function durableBytes({ database }: State): number {
  const folder = mkdtempSync(join(tmpdir(), 'nighthaul-life-'))
  try {
    const path = join(folder, 'nighthaul.db')
    writeFileSync(path, database.main)
    writeFileSync(`${path}-wal`, database.log)
    const db = new Database(path)
    const marks = db.prepare('SELECT durable - start FROM segments').pluck().all() as number[]
    db.close()
    return marks.reduce((sum, mark) => sum + mark - (mark % BLOCK_BYTES), 0)
  } finally {
    rmSync(folder, { recursive: true })
  }
}

/** What is left of a life that was cut at this moment. */
export function cut({ from, operations, database, moments }: Life, moment: number, random: () => number): State {
  const { operations: count, wal } = moments[moment]!
  const pick = <T>(choices: readonly T[]): T => choices[Math.floor(random() * choices.length)]!
  const survival = {
    writes: pick([0.5, 1]),
    sectors: pick([0, 0.1, 0.5, 0.9, 1]),
    names: pick([0, 0.5, 0.5, 1]),
    random,
  }
  const commits = [wal.synced, ...commitEnds(database.log).filter((end) => end > wal.synced && end <= wal.written)]
  // All or nothing as often as anything between.
  const kept = pick([wal.synced, commits.at(-1)!, pick(commits), pick(commits)])
  return {
    image: survivors(from.image, operations.slice(0, count), survival),
    database: { main: database.main, log: tearLog(database.log.subarray(0, wal.written), kept, random) },
  }
}
