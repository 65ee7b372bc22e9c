/** A lane's worker that ends in the middle of a reply, as often as the file that NIGHTHAUL_TEST_DEATHS names has lines. */
import { readFileSync, writeFileSync } from 'node:fs'
import { parentPort } from 'node:worker_threads'
import type { ToWorker } from '../../electron/engine/lane/messages.ts'

await import('../../electron/engine/lane/lane-service.ts')

parentPort!.on('message', (messages: ToWorker[]) => {
  const path = process.env.NIGHTHAUL_TEST_DEATHS!
  if (!messages.some(({ kind }) => kind === 'flush')) return
  const [death, ...left] = readFileSync(path, 'utf8').split('\n')
  if (!death) return
  writeFileSync(path, left.join('\n'))
  process.exit(1)
})
