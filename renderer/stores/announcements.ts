/** What a screen reader is told: downloads that ended while this window watched, gathered so that a burst is one line. */
import { create } from 'zustand'
import type { TaskId, TaskRow } from '../../shared/schemas.ts'

const GATHER_MS = 2000
const TOLD = ['done', 'failed', 'changed'] as const
export type ToldState = (typeof TOLD)[number]

/** Names by how they ended. */
export type Endings = Readonly<Record<ToldState, readonly string[]>>

const NOTHING: Endings = { done: [], failed: [], changed: [] }

function isTold(state: TaskRow['state']): state is ToldState {
  return (TOLD as readonly string[]).includes(state)
}

export function createAnnouncements(gatherMs = GATHER_MS) {
  const store = create<{ endings: Endings }>(() => ({ endings: NOTHING }))
  /** tasks seen unfinished: only their end is news */
  const underWay = new Set<TaskId>()
  let gathered: Endings = NOTHING
  let timer: ReturnType<typeof setTimeout> | undefined

  function tell(): void {
    timer = undefined
    store.setState({ endings: gathered })
    gathered = NOTHING
  }

  return {
    store,
    observe(rows: readonly TaskRow[]): void {
      for (const { id, state, filename } of rows) {
        if (!isTold(state)) underWay.add(id)
        else if (underWay.delete(id)) gathered = { ...gathered, [state]: [...gathered[state], filename] }
      }
      if (gathered !== NOTHING && timer === undefined) timer = setTimeout(tell, gatherMs)
    },
  }
}
