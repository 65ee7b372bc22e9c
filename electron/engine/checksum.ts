/**
 * Digests of files on the disk, made in one thread so that no queue and no window waits for them. The files take turns
 * in it: a small one does not wait until a large one is read.
 */
import { Worker } from 'node:worker_threads'
import type { ChecksumAlgorithm } from '../../shared/integrity.ts'
import { crc64Nvme } from './crc64-nvme.ts'
import { beginDigest, type Digests } from './hashes.ts'

/** How long the thread stays for further files. */
const IDLE_MS = 2_000

interface Job {
  id: number
  path: string
  algorithms: readonly ChecksumAlgorithm[]
  /** digests of pieces of this size, the last may be shorter; null: of the whole file */
  pieceBytes: number | null
}

type FromThread = { id: number; values: Digests[] } | { id: number; code: string; message: string }

interface Asked {
  resolve(values: Digests[]): void
  reject(error: Error): void
}

let thread: Worker | null = null
let idle: NodeJS.Timeout | undefined
let lastId = 0
const asked = new Map<number, Asked>()

/** Rejects with the file system's error (with its `code`), or with the signal's reason. */
export async function digestFile(
  path: string,
  algorithms: readonly ChecksumAlgorithm[],
  signal: AbortSignal,
): Promise<Digests> {
  const [whole] = await ask({ path, algorithms, pieceBytes: null }, signal)
  return whole!
}

/** Digests of each piece in order, in lower-case hex. Rejects as `digestFile`. */
export async function digestPieces(
  path: string,
  algorithm: ChecksumAlgorithm,
  pieceBytes: number,
  signal: AbortSignal,
): Promise<string[]> {
  const pieces = await ask({ path, algorithms: [algorithm], pieceBytes }, signal)
  return pieces.map((piece) => piece[algorithm]!)
}

async function ask(job: Omit<Job, 'id'>, signal: AbortSignal): Promise<Digests[]> {
  signal.throwIfAborted()
  const id = ++lastId
  const { promise, resolve, reject } = Promise.withResolvers<Digests[]>()
  const worker = openThread()
  asked.set(id, { resolve, reject })
  worker.ref()
  worker.postMessage({ id, ...job } satisfies Job)
  const onAbort = () => {
    worker.postMessage({ id, stop: true })
    reject(signal.reason)
  }
  signal.addEventListener('abort', onAbort, { once: true })
  try {
    return await promise
  } finally {
    signal.removeEventListener('abort', onAbort)
    asked.delete(id)
    if (asked.size === 0) {
      worker.unref()
      idle = setTimeout(() => {
        thread = null
        void worker.terminate()
      }, IDLE_MS).unref()
    }
  }
}

function openThread(): Worker {
  clearTimeout(idle)
  if (thread) return thread
  // The thread's code travels as text, so that it needs no file of its own wherever the engine is bundled into.
  const opened = new Worker(`(${digestThread})(${beginDigest}, ${crc64Nvme})`, {
    eval: true,
    workerData: { from: import.meta.url },
  })
  opened.on('message', (result: FromThread) => {
    const job = asked.get(result.id)
    if ('values' in result) job?.resolve(result.values)
    else job?.reject(Object.assign(new Error(result.message), { code: result.code }))
  })
  const ended = (error: Error) => {
    // Let go of when idle: the files of another thread are not this one's.
    if (thread !== opened) return
    thread = null
    for (const job of asked.values()) job.reject(error)
  }
  opened.once('error', (error) => ended(error as Error))
  opened.once('exit', () => ended(new Error('the digest thread ended early')))
  thread = opened
  return opened
}

/** Runs in the thread; refers to nothing outside itself. */
function digestThread(begin: typeof beginDigest, crc64: typeof crc64Nvme): void {
  const fs = process.getBuiltinModule('node:fs')
  const { createHash } = process.getBuiltinModule('node:crypto')
  const { createRequire } = process.getBuiltinModule('node:module')
  const { parentPort, workerData } = process.getBuiltinModule('node:worker_threads')
  const tools = { createHash, ...createRequire(workerData.from)('@node-rs/crc32'), beginCrc64Nvme: crc64() }
  let turning = false
  const buffer = Buffer.allocUnsafeSlow(1024 * 1024)
  const readsATurn = 4
  type Running = ReturnType<typeof begin>
  const works = new Map<number, { job: Job; file: number; left: number; values: Digests[]; running: Running[] }>()

  const beginAll = (job: Job) => job.algorithms.map((name) => begin(name, tools))
  const close = (id: number) => {
    const work = works.get(id)
    works.delete(id)
    if (work) fs.closeSync(work.file)
  }
  const failed = (id: number, error: unknown) => {
    const { code = '', message } = error as NodeJS.ErrnoException
    parentPort?.postMessage({ id, code, message })
  }
  const turn = () => {
    for (const [id, work] of works) {
      try {
        if (!advance(work)) continue
        close(id)
        parentPort?.postMessage({ id, values: work.values })
      } catch (error) {
        failed(id, error)
        close(id)
      }
    }
    turning = works.size > 0
    if (turning) setImmediate(turn)
  }
  /** True: the file is read. */
  const advance = (work: NonNullable<ReturnType<typeof works.get>>): boolean => {
    const { job } = work
    const endPiece = () => {
      work.values.push(Object.fromEntries(job.algorithms.map((name, index) => [name, work.running[index]!.digest()])))
      work.running = beginAll(job)
      work.left = job.pieceBytes ?? Number.POSITIVE_INFINITY
    }
    for (let reads = 0; reads < readsATurn; reads++) {
      const bytes = fs.readSync(work.file, buffer, 0, Math.min(buffer.length, work.left), null)
      if (bytes === 0) {
        if (job.pieceBytes === null || work.left < job.pieceBytes) endPiece()
        return true
      }
      for (const running of work.running) running.update(buffer.subarray(0, bytes))
      work.left -= bytes
      if (work.left === 0) endPiece()
    }
    return false
  }
  parentPort?.on('message', (message: Job | { id: number; stop: true }) => {
    const { id } = message
    try {
      if ('stop' in message) return close(id)
      const file = fs.openSync(message.path, 'r')
      const left = message.pieceBytes ?? Number.POSITIVE_INFINITY
      works.set(id, { job: message, file, left, values: [], running: beginAll(message) })
      if (!turning) setImmediate(turn)
      turning = true
    } catch (error) {
      failed(id, error)
    }
  })
}
