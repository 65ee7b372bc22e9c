/**
 * Things that wait for a host, in order: the first whose host has room is found without looking at those of full hosts.
 * Pure.
 */

interface List<T> {
  host: string
  /** ascending by order */
  entries: { order: number; item: T }[]
  /** of the first that still waits */
  next: number
}

export class HostLists<T> {
  readonly #hasRoom: (host: string) => boolean
  readonly #lists = new Map<string, List<T>>()
  /** the firsts of lists, as a binary heap; those that are firsts no more are passed over when they come up */
  readonly #heap: { order: number; list: List<T> }[] = []
  /** hosts that had no room when they were looked at */
  readonly #full = new Set<string>()

  constructor(hasRoom: (host: string) => boolean) {
    this.#hasRoom = hasRoom
  }

  get items(): T[] {
    return [...this.#lists.values()].flatMap(({ entries, next }) => entries.slice(next).map(({ item }) => item))
  }

  add(host: string, order: number, item: T): void {
    let list = this.#lists.get(host)
    if (!list) {
      list = { host, entries: [], next: 0 }
      this.#lists.set(host, list)
    }
    const { entries } = list
    let at = entries.length
    while (at > list.next && entries[at - 1]!.order > order) at--
    entries.splice(at, 0, { order, item })
    if (at === list.next && !this.#full.has(host)) this.#offer(list)
  }

  /** The first whose host has room. */
  take(): T | undefined {
    for (;;) {
      const first = this.#pop()
      if (!first) return undefined
      const { order, list } = first
      if (list.entries[list.next]?.order !== order || this.#full.has(list.host)) continue
      if (!this.#hasRoom(list.host)) {
        this.#full.add(list.host)
        continue
      }
      const { item } = list.entries[list.next++]!
      this.#offer(list)
      return item
    }
  }

  /** A host, or any of them, may have room again. */
  lookAgain(host?: string): void {
    if (this.#full.size === 0) return
    for (const name of host === undefined ? [...this.#full] : [host])
      if (this.#full.delete(name)) this.#offer(this.#lists.get(name)!)
  }

  #offer(list: List<T>): void {
    const first = list.entries[list.next]
    if (!first) return
    const heap = this.#heap
    const entry = { order: first.order, list }
    let at = heap.push(entry) - 1
    while (at > 0) {
      const parent = (at - 1) >> 1
      if (heap[parent]!.order <= entry.order) break
      heap[at] = heap[parent]!
      at = parent
    }
    heap[at] = entry
  }

  #pop(): { order: number; list: List<T> } | undefined {
    const heap = this.#heap
    const top = heap[0]
    const last = heap.pop()
    if (top === last || last === undefined) return top
    let at = 0
    for (;;) {
      let child = 2 * at + 1
      if (child >= heap.length) break
      if (child + 1 < heap.length && heap[child + 1]!.order < heap[child]!.order) child++
      if (heap[child]!.order >= last.order) break
      heap[at] = heap[child]!
      at = child
    }
    heap[at] = last
    return top
  }
}
