/** What a host (app, daemon, command line) holds of an engine. */
import type { Contract } from '../../shared/contract.ts'
import type { EventHub, Handlers } from '../../shared/rpc.ts'

export interface EngineApi {
  /** serve these over any transport, or call them directly (inputs parsed with the contract's schemas beforehand) */
  readonly handlers: Handlers<Contract>
  readonly events: EventHub<Contract>
  /** recovers what an earlier process left (marks, leases, unsynced files) and starts the queue */
  start(): Promise<void>
  /**
   * Stops taking work, stops transfers, flushes, fsyncs partials, checkpoints. Running tasks go on at the next start.
   * The store stays open; whoever opened it closes it. Idempotent.
   */
  drain(): Promise<void>
}
