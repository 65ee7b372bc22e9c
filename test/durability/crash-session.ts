/**
 * A queue whose process is killed with SIGKILL at random moments, while files come and somebody adds, pauses, resumes,
 * moves and removes. After every kill the database is compared with what was acknowledged, the files with the marks, and
 * the bytes that were sent with those on record; after the last one everything has to end well.
 */
import { existsSync, readFileSync } from 'node:fs'
import { mkdtemp, readdir, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { basename, dirname, join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import Database from 'better-sqlite3'
import type { Relocation } from '../../shared/records.ts'
import { contentBytes } from '../helpers/bytes.ts'
import { type FaultServer, startFaultServer } from '../helpers/fault-server.ts'
import { folderOnOtherVolume, onlyOneVolume } from '../helpers/volumes.ts'
import { ByteLedger, bytesOf, joined, machineMs, type Run, without } from './byte-ledger.ts'
import { type Intended, type StoredTask, settle } from './crash-journal.ts'
import { CrashProcess } from './crash-process.ts'
import { seeded } from './seeded.ts'

const MIB = 1024 * 1024
/** Bytes that one connection may have in the buffers of both sockets: sent, and never seen by the process. */
const IN_FLIGHT_BYTES = 128 * 1024
/**
 * A worker has half of a checkpoint to hand over what it is asked to. A clock that runs faster takes that from it, and
 * the machine is no faster: granted where less than this is left.
 */
const WORKER_LAG_MS = 250
const MOST_UNFINISHED = 5
const MOST_CONNECTIONS = 4
/** Most kills come within so many checkpoints after the first byte: a slow machine would otherwise die before it reads. */
const CHECKPOINTS_OF_A_LIFE = 6
/** ... or after so long, where nothing is to be fetched */
const LONGEST_LIFE_MS = 5_000

export interface CrashOptions {
  seed: number
  kills: number
  /** the engine's clock runs so much faster: a checkpoint every 1,000 / haste ms */
  haste: number
  /** of each file, all its connections together */
  bytesPerSecond: number
}

export interface Kill {
  /** in the database afterwards */
  tasks: number
  /** downloads that were reading when it came */
  active: number
  /** in this life */
  sentBytes: number
  /** on record before this life, of files that went on in it */
  heldBytes: number
  /** sent before the kill and not on record: fetched again */
  lostBytes: number
  /** sent since the last checkpoint but one */
  sinceBytes: number
}

export interface CrashResult {
  kills: Kill[]
  files: number
  bytes: number
  /** of these files, sent once more than needed: by kills, pauses and races */
  twiceBytes: number
}

/** Throws with the seed and the number of the kill after which something is not as it must be. */
export async function crashSession(options: CrashOptions): Promise<CrashResult> {
  const profile = await mkdtemp(join(tmpdir(), 'nighthaul-crash-'))
  const server = await startFaultServer()
  await using other = onlyOneVolume() === null ? await folderOnOtherVolume() : null
  const folders = [join(profile, 'downloads'), join(profile, 'shelf'), ...(other ? [other.path] : [])]
  const session = new Session(options, profile, folders, server)
  try {
    const kills: Kill[] = []
    for (let n = 1; n <= options.kills; n++)
      kills.push(
        await session.lifeAndDeath().catch((error: unknown) => {
          throw new Error(`seed ${options.seed}, kill ${n}: ${error}`, { cause: error })
        }),
      )
    return await session.end(kills).catch((error: unknown) => {
      throw new Error(`seed ${options.seed}, after ${kills.length} kills: ${error}`, { cause: error })
    })
  } finally {
    await session.stop()
    await server.close()
    await rm(profile, { recursive: true, force: true })
  }
}

class Session {
  readonly #options: CrashOptions
  readonly #profile: string
  /** the first is the one for downloads */
  readonly #folders: readonly string[]
  readonly #server: FaultServer
  readonly #random: () => number
  readonly #ledger = new ByteLedger()
  readonly #intended: Intended[] = []
  #process: CrashProcess | null = null
  /** by task, as the last death left it */
  #recorded = new Map<number, Run[]>()

  constructor(options: CrashOptions, profile: string, folders: readonly string[], server: FaultServer) {
    this.#options = options
    this.#profile = profile
    this.#folders = folders
    this.#server = server
    this.#random = seeded(options.seed)
  }

  async stop(): Promise<void> {
    await this.#process?.kill()
  }

  async lifeAndDeath(): Promise<Kill> {
    const began = machineMs()
    const child = this.#start()
    // Some die before they are awake.
    if (this.#random() < 0.1) await sleep(this.#random() * 400)
    else {
      await child.ready.promise
      await this.#meddle(child, this.#endOf(child))
    }
    await child.kill()
    const diedAt = machineMs()
    this.#process = null
    const { tasks, recorded } = this.#autopsy()
    this.#compareFiles(tasks, recorded)
    const active = tasks.filter(({ state }) => state === 'active').length
    let lostBytes = 0
    let heldBytes = 0
    for (const { path, id, meddled } of this.#intended.filter(({ id }) => id !== null)) {
      const sent = this.#ledger.runs(path, began)
      // Whoever pauses or moves one takes its connections what they had in their hands.
      if (!meddled) lostBytes += bytesOf(without(sent, recorded.get(id!) ?? []))
      const known = this.#recorded.get(id!) ?? []
      if (sent.length > 0) heldBytes += bytesOf(known)
      const again = bytesOf(sent) - bytesOf(without(sent, known))
      if (again > 0) throw new Error(`${again} bytes of ${path} were on record and fetched again`)
    }
    const before = child.committedAt.filter((at) => at < diedAt).at(-2) ?? began
    const sinceBytes = this.#ledger.bytes(before)
    settle(this.#intended, tasks)
    this.#recorded = recorded
    const lagMs = 500 / this.#options.haste < WORKER_LAG_MS ? WORKER_LAG_MS : 0
    const grantedBytes = this.#ledger.bytes(before - lagMs) + active * MOST_CONNECTIONS * IN_FLIGHT_BYTES
    if (lostBytes > grantedBytes)
      throw new Error(`${lostBytes} bytes were lost, and ${sinceBytes} sent since the last checkpoint but one`)
    return { tasks: tasks.length, active, sentBytes: this.#ledger.bytes(began), heldBytes, lostBytes, sinceBytes }
  }

  /** Every byte on record is in its file, as the source has it. */
  #compareFiles(tasks: readonly StoredTask[], recorded: ReadonlyMap<number, Run[]>): void {
    for (const { path, seed, id, url, done } of this.#intended) {
      const task = tasks.find((other) => other.url === url)
      if (!task || task.filename === null || (done && id === task.id)) continue
      const final = join(task.folder, task.filename)
      const moved = task.relocation === null ? [] : [(JSON.parse(task.relocation) as Relocation).to]
      const file = [task.partPath ?? `${final}.part`, final, ...moved].find(existsSync)
      const runs = recorded.get(task.id) ?? []
      if (!file && bytesOf(runs) > 0) throw new Error(`${bytesOf(runs)} bytes of ${path} are on record, and in no file`)
      const bytes = file ? readFileSync(file) : Buffer.alloc(0)
      for (const { start, end } of file ? runs : [])
        if (!bytes.subarray(start, end).equals(contentBytes(seed, start, end - start)))
          throw new Error(`bytes of ${path} between ${start} and ${end} are on record, and others in ${file}`)
    }
  }

  /** When the life that has just begun is over. */
  #endOf(child: CrashProcess): Promise<'over'> {
    const intervalMs = 1_000 / this.#options.haste
    const checkpoints = Math.floor(this.#random() * CHECKPOINTS_OF_A_LIFE)
    const restMs = this.#random() * intervalMs
    if (this.#random() < 0.2) return sleep(checkpoints * intervalMs + restMs, 'over')
    const read = this.#ledger.sentMore(1).then(() => child.committed(checkpoints))
    return Promise.race([read, sleep(LONGEST_LIFE_MS)]).then(() => sleep(restMs, 'over'))
  }

  /** The last life: everything is resumed, nobody is killed, and every file has to be as its source. */
  async end(kills: Kill[]): Promise<CrashResult> {
    for (const one of this.#intended) this.#serve(one, false)
    const child = this.#start()
    await child.ready.promise
    await child.call('tasks.resume', { selection: { filter: { states: ['paused'] } } })
    const rows = await this.#untilAllDone(child)
    for (const one of this.#intended.filter(({ there }) => there)) {
      const task = await child.call('tasks.get', { id: one.id! })
      if (basename(task.path!) !== one.path.slice(1) || !this.#folders.includes(dirname(task.path!)))
        throw new Error(`${one.path} became ${task.path}`)
      if (!readFileSync(task.path!).equals(contentBytes(one.seed, 0, one.size)))
        throw new Error(`${one.path} is not as its source`)
    }
    const there = this.#intended.filter((one) => one.there)
    if (rows.length !== there.length) throw new Error(`${rows.length} tasks instead of ${there.length}`)
    // What was removed waits under hidden names until then.
    await child.call('removed.clear', undefined)
    await this.#noStrayFiles()
    const bytes = there.reduce((sum, { size }) => sum + size, 0)
    const twiceBytes = there.reduce((sum, { path }) => sum + this.#ledger.twice(path), 0)
    return { kills, files: there.length, bytes, twiceBytes }
  }

  async #untilAllDone(child: CrashProcess): Promise<{ state: string }[]> {
    const deadline = machineMs() + 60_000
    for (;;) {
      const { rows } = await child.call('tasks.list', {})
      if (rows.every(({ state }) => state === 'done')) return rows
      if (machineMs() > deadline) throw new Error(`it does not end: ${JSON.stringify(rows)}`)
      await sleep(20)
    }
  }

  /** A file that nobody owns is one that was doubled or forgotten. */
  async #noStrayFiles(): Promise<void> {
    for (const name of (await Promise.all(this.#folders.map(namesIn))).flat()) {
      const owner = this.#intended.find(({ path }) => name === path.slice(1) || name === `${path.slice(1)}.part`)
      const mayStay = owner?.there ? !name.endsWith('.part') : owner?.leavesFiles
      if (!mayStay) throw new Error(`${name} lies in the folder and belongs to nobody`)
    }
  }

  #start(): CrashProcess {
    this.#process = new CrashProcess(this.#profile, this.#folders[0]!, this.#options.haste)
    return this.#process
  }

  // ── what people do meanwhile ──

  async #meddle(child: CrashProcess, over: Promise<'over'>): Promise<void> {
    for (const one of this.#intended) one.meddled = false
    for (;;) {
      const act = this.#act(child)
      // What is under way at the kill is never answered.
      act.catch(() => undefined)
      if ((await Promise.race([act, over])) === 'over') return
      if ((await Promise.race([sleep((this.#random() * 1_500) / this.#options.haste), over])) === 'over') return
    }
  }

  async #act(child: CrashProcess): Promise<void> {
    const unfinished = this.#intended.filter(({ there, done }) => there && !done)
    const one = this.#pick(unfinished)
    if (!one || (this.#random() < 0.5 && unfinished.length < MOST_UNFINISHED)) return this.#add(child)
    const dice = this.#random()
    if (dice < 0.3) return this.#pauseOrResume(child, one, true)
    if (dice < 0.8) {
      const paused = this.#pick(unfinished.filter((other) => other.paused))
      return paused && this.#pauseOrResume(child, paused, false)
    }
    if (dice < 0.88) return this.#remove(child, one)
    return this.#move(child, this.#pick(this.#intended.filter(({ there }) => there))!)
  }

  #pick<T>(choices: readonly T[]): T | undefined {
    return choices[Math.floor(this.#random() * choices.length)]
  }

  async #add(child: CrashProcess): Promise<void> {
    const seed = this.#intended.length
    const path = `/f${seed}.bin`
    // Small ones too, which workers create by themselves.
    const size = Math.floor(this.#random() < 0.25 ? this.#random() * 100_000 : this.#random() * 12 * MIB)
    const one: Intended = {
      ...{ path, url: this.#server.url(path), seed, size, id: null, there: null, paused: null, done: false },
      ...{ meddled: false, leavesFiles: true },
    }
    this.#intended.push(one)
    this.#serve(one, true)
    const options = {
      connections: 1 + Math.floor(this.#random() * MOST_CONNECTIONS),
      durability: this.#random() < 0.5 ? ('strict' as const) : ('background' as const),
    }
    const { items } = await child.call('tasks.add', { items: [{ url: one.url }], options })
    one.id = items[0]!.id
    one.there = true
    one.paused = false
  }

  async #pauseOrResume(child: CrashProcess, one: Intended, pause: boolean): Promise<void> {
    one.paused = null
    one.meddled = true
    const { count } = await child.call(pause ? 'tasks.pause' : 'tasks.resume', { selection: { ids: [one.id!] } })
    // None: it was done, or about to be.
    if (count === 1) one.paused = pause
  }

  async #remove(child: CrashProcess, one: Intended): Promise<void> {
    const deleteFiles = this.#random() < 0.5
    one.there = null
    one.meddled = true
    await child.call('tasks.remove', { selection: { ids: [one.id!] }, deleteFiles })
    one.there = false
    one.leavesFiles = !deleteFiles
  }

  async #move(child: CrashProcess, one: Intended): Promise<void> {
    one.meddled = true
    const { failed } = await child.call('tasks.move', { ids: [one.id!], to: `${this.#pick(this.#folders)}/` })
    if (failed[0]) throw new Error(`${one.path} was not moved: ${failed[0].error.message}`)
  }

  #serve({ path, size, seed }: Intended, shaped: boolean): void {
    this.#server.add(path, { size, seed, ...(shaped && { lineBytesPerSecond: this.#options.bytesPerSecond }) })
    this.#server.fault(path, () => (reply) => {
      const from = Number(/^bytes (\d+)-/.exec(reply.headers['content-range'] ?? '')?.[1] ?? 0)
      const { body } = reply
      reply.body = (offset, length) => {
        this.#ledger.add(path, from + offset, length)
        return body(offset, length)
      }
    })
  }

  // ── what is left ──

  /** The database as the next process will find it. */
  #autopsy(): { tasks: StoredTask[]; recorded: Map<number, Run[]> } {
    const path = join(this.#profile, 'nighthaul.db')
    const recorded = new Map<number, Run[]>()
    if (!existsSync(path)) return { tasks: [], recorded }
    const db = new Database(path)
    try {
      const verdict = db.pragma('integrity_check', { simple: true })
      if (verdict !== 'ok') throw new Error(`the database is damaged: ${verdict}`)
      // Killed before it had tables.
      if (!db.prepare("SELECT 1 FROM sqlite_master WHERE name = 'tasks'").get()) return { tasks: [], recorded }
      const tasks = db
        .prepare('SELECT id, url, state, folder, filename, part_path AS partPath, relocation FROM tasks')
        .all() as StoredTask[]
      const segments = db.prepare<[number], Run>('SELECT start, written AS "end" FROM segments WHERE task_id = ?')
      for (const { id } of tasks) recorded.set(id, joined(segments.all(id)))
      return { tasks, recorded }
    } finally {
      db.close()
    }
  }
}

async function namesIn(folder: string): Promise<string[]> {
  return existsSync(folder) ? readdir(folder) : []
}
