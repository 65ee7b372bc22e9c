/** Digests of whole files, computed in a thread of their own so that no queue and no window waits for them. */
import { Worker } from 'node:worker_threads'
import type { Checksum } from '../../shared/integrity.ts'

type Result = { value: string } | { code: string; message: string }

/** Lower-case hex. Rejects with the file system's error (with its `code`), or with the signal's reason. */
export function digestFile(path: string, algorithm: Checksum['algorithm'], signal: AbortSignal): Promise<string> {
  signal.throwIfAborted()
  return new Promise((resolve, reject) => {
    // The thread's code travels as text, so that it needs no file of its own wherever the engine is bundled into.
    const worker = new Worker(`(${digestThread})()`, {
      eval: true,
      workerData: { path, hash: algorithm.replace('-', '') },
    })
    const onAbort = () => {
      void worker.terminate()
      reject(signal.reason)
    }
    signal.addEventListener('abort', onAbort, { once: true })
    worker.once('message', (result: Result) => {
      if ('value' in result) resolve(result.value)
      else reject(Object.assign(new Error(result.message), { code: result.code }))
    })
    worker.once('error', reject)
    worker.once('exit', () => {
      signal.removeEventListener('abort', onAbort)
      reject(new Error('the digest thread ended early'))
    })
  })
}

/** Runs in the thread; refers to nothing outside itself. */
function digestThread(): void {
  const { createHash } = process.getBuiltinModule('node:crypto')
  const fs = process.getBuiltinModule('node:fs')
  const { parentPort, workerData } = process.getBuiltinModule('node:worker_threads')
  try {
    const hash = createHash(workerData.hash)
    const file = fs.openSync(workerData.path, 'r')
    const buffer = Buffer.allocUnsafeSlow(1024 * 1024)
    for (;;) {
      const bytes = fs.readSync(file, buffer, 0, buffer.length, null)
      if (bytes === 0) break
      hash.update(buffer.subarray(0, bytes))
    }
    fs.closeSync(file)
    parentPort?.postMessage({ value: hash.digest('hex') })
  } catch (error) {
    const { code = '', message } = error as NodeJS.ErrnoException
    parentPort?.postMessage({ code, message })
  }
}
