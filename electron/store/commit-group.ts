/**
 * Many small writes as one transaction: those of a few turns of the event loop share a commit. A commit costs about as
 * much as a dozen of the statements in it, and downloads of small files come by the hundred in a second.
 *
 * What was written is seen by this connection at once; whoever must know that it is stored (before a file is created or
 * renamed, say) waits for `committed`. A commit that fails loses nothing: its works are done again with the next one.
 */
import type { StoreLogger } from './database.ts'

interface Transactions {
  begin(): void
  commit(): void
  rollBack(): void
  /** runs a work in a savepoint */
  run(work: () => unknown): unknown
  /** brings everything committed to the disk; rejects where that failed */
  flush(): Promise<void>
}

export interface CommitGroup {
  readonly isOpen: boolean
  run(work: () => unknown): unknown
  /** Commits now. Throws what the commit threw. */
  commit(): void
  committed(durable: boolean): Promise<void>
}

/**
 * So many turns of the event loop share a commit. It does not sleep between them: with nothing to do they are over at
 * once, and with much to do they hold what comes with many small files.
 */
export const TURNS = 4

/** A commit that failed is tried again after so long, or with the next write. */
const AGAIN_MS = 1_000

export function createCommitGroup(transactions: Transactions, logger: StoreLogger): CommitGroup {
  let isOpen = false
  let works: (() => unknown)[] = []
  /** of commits that failed */
  let undone: (() => unknown)[] = []
  let waiting: { durable: boolean; resolve: () => void; reject: (error: unknown) => void }[] = []
  let planned = false

  const open = () => {
    if (isOpen) return
    transactions.begin()
    isOpen = true
    let turns = TURNS
    const endTurn = () => {
      if (--turns === 0) commitQuietly()
      else setImmediate(endTurn)
    }
    setImmediate(endTurn)
    for (const work of undone.splice(0)) {
      works.push(work)
      try {
        transactions.run(work)
      } catch (error) {
        // Its task may be gone by now, or its name taken.
        logger.warn({ error: String(error) }, 'a change could not be made again after a commit had failed')
      }
    }
  }

  const settle = (error: unknown) => {
    const settled = waiting
    waiting = []
    for (const { durable, resolve, reject } of settled)
      if (error !== null) reject(error)
      else if (!durable) resolve()
    const durable = settled.filter((waiter) => waiter.durable)
    if (error !== null || durable.length === 0) return
    transactions.flush().then(
      () => durable.forEach(({ resolve }) => void resolve()),
      (failure: unknown) => durable.forEach(({ reject }) => void reject(failure)),
    )
  }

  const commit = () => {
    if (!isOpen) return
    isOpen = false
    const done = works
    works = []
    try {
      transactions.commit()
    } catch (error) {
      transactions.rollBack()
      undone = [...done, ...undone]
      settle(error)
      if (!planned)
        setTimeout(() => {
          planned = false
          openQuietly()
        }, AGAIN_MS).unref()
      planned = true
      throw error
    }
    settle(null)
  }

  const quietly = (step: () => void) => () => {
    try {
      step()
    } catch (error) {
      logger.warn({ error: String(error) }, 'a group of changes could not be committed; it will be tried again')
    }
  }
  const commitQuietly = quietly(commit)
  const openQuietly = quietly(open)

  return {
    get isOpen() {
      return isOpen
    },
    run(work) {
      open()
      const result = transactions.run(work)
      works.push(work)
      return result
    },
    commit,
    committed(durable) {
      // All is committed: nobody else need wait for the lock meanwhile.
      if (!isOpen && undone.length === 0) return durable ? transactions.flush() : Promise.resolve()
      return new Promise((resolve, reject) => {
        waiting.push({ durable, resolve, reject })
        try {
          open()
        } catch (error) {
          settle(error)
        }
      })
    },
  }
}
