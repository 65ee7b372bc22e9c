/** Reads up to the bounds it is given, as fast as it can, and says where it stopped. */
import { parentPort, workerData } from 'node:worker_threads'
import { LaneBounds } from '../../electron/engine/lane/bounds.ts'

const { memory, step } = workerData as { memory: SharedArrayBuffer; step: number }
const bounds = LaneBounds.over(memory)
let position = 0

function read(): void {
  for (;;) {
    const end = bounds.claim(position, position + step)
    if (end !== null && end <= position + step) {
      position = Math.max(position, end)
      parentPort!.postMessage(position)
      return
    }
    position += step
  }
}

parentPort!.on('message', read)
read()
