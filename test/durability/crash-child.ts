/**
 * A process that is meant to be killed: `node crash-child.ts PROFILE FOLDER HASTE`. An engine over its store as the
 * headless host runs it, with worker lanes and grouped commits, on a clock that runs HASTE times faster. Its parent asks
 * for methods of the contract over IPC, and hears when what a second of the engine's clock brought was committed.
 */

import type { Clock } from '../../electron/engine/ports.ts'
import type { Contract } from '../../shared/contract.ts'
import type { MethodNames } from '../../shared/rpc.ts'
import { realClock, startEngine } from '../helpers/engine.ts'
import { machineMs } from './byte-ledger.ts'

export interface Ask {
  id: number
  method: MethodNames<Contract>
  input: unknown
}

export type Tell =
  | { kind: 'ready' }
  | { kind: 'answer'; id: number; result: unknown }
  | { kind: 'refusal'; id: number; message: string }
  /** of a checkpoint, on the machine's clock */
  | { kind: 'committed'; at: number }

const [profile, folder, haste] = process.argv.slice(2) as [string, string, string]
const factor = Number(haste)
const began = Date.now()
const clock: Clock = {
  now: () => began + (Date.now() - began) * factor,
  monotonic: () => machineMs() * factor,
  setTimeout: (callback, ms) => realClock.setTimeout(callback, ms / factor),
}
const tell = (message: Tell) => process.send!(message)

const engine = await startEngine({
  clock,
  from: { profile, folder },
  workers: true,
  wrapStore: (store) => ({
    ...store,
    // Asked once at the end of each checkpoint.
    dataVersion() {
      void store.committed(false).then(() => tell({ kind: 'committed', at: machineMs() }))
      return store.dataVersion()
    },
  }),
})
process.on('message', async ({ id, method, input }: Ask) => {
  try {
    tell({ kind: 'answer', id, result: await engine.call(method, input as never) })
  } catch (error) {
    tell({ kind: 'refusal', id, message: String(error) })
  }
})
// Whoever is to kill it is gone.
process.on('disconnect', () => process.exit())
tell({ kind: 'ready' })
