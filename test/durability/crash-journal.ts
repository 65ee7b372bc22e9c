/**
 * What a parent knows of a queue whose process is killed: every intent that was acknowledged is a fact, one that was
 * under way at the kill is open until the database is looked at.
 */
export interface Intended {
  path: string
  url: string
  seed: number
  size: number
  /** where it is known */
  id: number | null
  /** in the queue; null: open */
  there: boolean | null
  /** paused by an acknowledged word; null: open */
  paused: boolean | null
  done: boolean
  /** somebody paused, resumed, moved or removed it in this life */
  meddled: boolean
  /** not removed, or not with its files as far as anybody knows */
  leavesFiles: boolean
}

export interface StoredTask {
  id: number
  url: string
  state: string
  folder: string
  filename: string | null
  partPath: string | null
  /** JSON */
  relocation: string | null
}

/** Compares the queue with what was intended and settles what was open. Throws what must not be. */
export function settle(intended: readonly Intended[], stored: readonly StoredTask[]): void {
  for (const { url } of stored)
    if (!intended.some((other) => other.url === url)) throw new Error(`nobody asked for ${url}`)
  for (const one of intended) {
    const rows = stored.filter(({ url }) => url === one.url)
    if (rows.length > 1) throw new Error(`${one.path} is in the queue ${rows.length} times`)
    const row = rows[0]
    if (one.there === true && !row) throw new Error(`${one.path} was lost from the queue`)
    if (one.there === false && row) throw new Error(`${one.path} was removed and is back`)
    if (row && one.paused === true && row.state !== 'paused')
      throw new Error(`${one.path} was paused and is ${row.state}`)
    if (row && one.paused === false && row.state === 'paused') throw new Error(`${one.path} was resumed and is paused`)
    if (row && one.done && row.state !== 'done') throw new Error(`${one.path} was done and is ${row.state}`)
    if (row && ['failed', 'changed'].includes(row.state)) throw new Error(`${one.path} is ${row.state}`)
    one.there = row !== undefined
    one.id = row?.id ?? null
    one.paused = row?.state === 'paused'
    one.done = row?.state === 'done'
  }
}
