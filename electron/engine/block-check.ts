/**
 * Reads a file back and compares its blocks with their checksums, in a thread of its own and with one block in memory,
 * so that no queue and no window waits for it.
 */
import { Worker } from 'node:worker_threads'
import { NighthaulError } from '../../shared/errors.ts'
import type { ChecksumAlgorithm } from '../../shared/integrity.ts'
import { BLOCK_BYTES, type BlockChecksum } from '../../shared/records.ts'
import { crc64Nvme } from './crc64-nvme.ts'
import { toDiskError } from './disk-errors.ts'
import { beginDigest } from './hashes.ts'

/** How often it says how far it is. */
const REPORT_MS = 100

export interface BlockCheckOrder {
  path: string
  /** in order */
  blocks: readonly BlockChecksum[]
  /** of the whole file, made on the way; null: only the blocks are read */
  digest: ChecksumAlgorithm | null
  /** how far to read at least when a digest is wanted */
  bytes: number
}

export interface BlockCheckResult {
  bytesOnDisk: number
  /** indexes of blocks that differ, or that the file does not reach to */
  bad: number[]
  /** lower-case hex */
  digest: string | null
}

type FromThread =
  | { kind: 'progress'; checkedBytes: number }
  | ({ kind: 'ended' } & BlockCheckResult)
  | { kind: 'failed'; code: string; message: string }

/** Null: there is no such file. Rejects with a disk error or with the signal's reason. */
export function checkFile(
  order: BlockCheckOrder,
  progress: (checkedBytes: number) => void,
  signal: AbortSignal,
): Promise<BlockCheckResult | null> {
  const { path, blocks, digest, bytes } = order
  const column = (of: (block: BlockChecksum) => number) => Uint32Array.from(blocks, of)
  return new Promise((resolve, reject) => {
    signal.throwIfAborted()
    // The thread's code travels as text, so that it needs no file of its own wherever the engine is bundled into.
    const worker = new Worker(`(${checkThread})(${beginDigest}, ${crc64Nvme})`, {
      eval: true,
      workerData: {
        ...{ path, bytes, blockBytes: BLOCK_BYTES, reportMs: REPORT_MS },
        indexes: column((block) => block.index),
        crcs: column((block) => block.crc32),
        lengths: column((block) => block.bytes),
        algorithm: digest,
        from: import.meta.url,
      },
    })
    const onAbort = () => {
      void worker.terminate()
      reject(signal.reason)
    }
    signal.addEventListener('abort', onAbort, { once: true })
    worker.on('message', (message: FromThread) => {
      if (message.kind === 'progress') return signal.aborted ? undefined : progress(message.checkedBytes)
      if (message.kind === 'ended') return resolve(message)
      if (message.code === 'ENOENT' || message.code === 'ENOTDIR') return resolve(null)
      reject(toDiskError(Object.assign(new Error(message.message), { code: message.code }), path))
    })
    worker.once('error', reject)
    worker.once('exit', () => {
      signal.removeEventListener('abort', onAbort)
      reject(new NighthaulError('internal', 'The thread that compares files ended early; nothing was changed.'))
    })
  })
}

/** Runs in the thread; refers to nothing outside itself. */
function checkThread(begin: typeof beginDigest, crc64: typeof crc64Nvme): void {
  const { createHash } = process.getBuiltinModule('node:crypto')
  const fs = process.getBuiltinModule('node:fs')
  const zlib = process.getBuiltinModule('node:zlib')
  const { createRequire } = process.getBuiltinModule('node:module')
  const { parentPort, workerData } = process.getBuiltinModule('node:worker_threads')
  const { path, bytes, blockBytes, reportMs, indexes, crcs, lengths, algorithm, from } = workerData
  try {
    const file = fs.openSync(path, 'r')
    const { size } = fs.fstatSync(file)
    const whole = algorithm !== null
    const tools = { createHash, ...createRequire(from)('@node-rs/crc32'), beginCrc64Nvme: crc64() }
    const digest = whole ? begin(algorithm, tools) : null
    const buffer = Buffer.allocUnsafeSlow(blockBytes)
    const read = (index: number) => {
      let done = 0
      while (done < blockBytes) {
        const got = fs.readSync(file, buffer, done, blockBytes - done, index * blockBytes + done)
        if (got === 0) break
        done += got
      }
      return done
    }
    const bad: number[] = []
    let checkedBytes = 0
    let at = 0
    let reported = performance.now()
    const steps = whole ? Math.ceil(Math.max(size, bytes) / blockBytes) : indexes.length
    for (let step = 0; step < steps; step++) {
      const index = whole ? step : indexes[step]
      const got = read(index)
      if (indexes[at] === index) {
        const length = lengths[at]
        if (got < length || zlib.crc32(buffer.subarray(0, length)) !== crcs[at]) bad.push(index)
        at++
      }
      digest?.update(buffer.subarray(0, got))
      checkedBytes += got
      if (performance.now() - reported >= reportMs || step === 0) {
        reported = performance.now()
        parentPort?.postMessage({ kind: 'progress', checkedBytes })
      }
    }
    fs.closeSync(file)
    const value = digest?.digest() ?? null
    parentPort?.postMessage({ kind: 'ended', bytesOnDisk: size, bad, digest: value })
  } catch (error) {
    const { code = '', message } = error as NodeJS.ErrnoException
    parentPort?.postMessage({ kind: 'failed', code, message })
  }
}
