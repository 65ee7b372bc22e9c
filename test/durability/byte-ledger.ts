/** Which bytes of which file were sent when; and runs of bytes, added and taken away. */

/** Bytes [start, end) of a file. */
export interface Run {
  start: number
  end: number
}

interface Sent extends Run {
  path: string
  at: number
}

/** The same clock in all processes of the machine. */
export function machineMs(): number {
  return Number(process.hrtime.bigint()) / 1e6
}

export class ByteLedger {
  readonly #sent: Sent[] = []
  #total = 0
  #waiting: { total: number; resolve: () => void }[] = []

  add(path: string, start: number, bytes: number): void {
    this.#sent.push({ path, start, end: start + bytes, at: machineMs() })
    this.#total += bytes
    this.#waiting = this.#waiting.filter(({ total, resolve }) => {
      if (total <= this.#total) resolve()
      return total > this.#total
    })
  }

  /** Resolves when so many bytes more were sent, of whatever file. */
  sentMore(bytes: number): Promise<void> {
    return new Promise((resolve) => this.#waiting.push({ total: this.#total + bytes, resolve }))
  }

  /** runs of a file that were sent in [from, to), joined */
  runs(path: string, from: number, to = Number.POSITIVE_INFINITY): Run[] {
    return joined(this.#sent.filter((sent) => sent.path === path && sent.at >= from && sent.at < to))
  }

  /** bytes of a file that were sent once more than needed */
  twice(path: string): number {
    return bytesOf(this.#sent.filter((sent) => sent.path === path)) - bytesOf(this.runs(path, 0))
  }

  /** bytes of all files that were sent in [from, to), as often as they were */
  bytes(from: number, to = Number.POSITIVE_INFINITY): number {
    return bytesOf(this.#sent.filter(({ at }) => at >= from && at < to))
  }
}

export function bytesOf(runs: readonly Run[]): number {
  return runs.reduce((sum, { start, end }) => sum + end - start, 0)
}

export function joined(runs: readonly Run[]): Run[] {
  const result: Run[] = []
  for (const { start, end } of runs.toSorted((a, b) => a.start - b.start)) {
    const last = result.at(-1)
    if (last && start <= last.end) last.end = Math.max(last.end, end)
    else result.push({ start, end })
  }
  return result
}

/** What of `runs` is in none of `others`; both joined. */
export function without(runs: readonly Run[], others: readonly Run[]): Run[] {
  return others.reduce<Run[]>(
    (left, other) =>
      left.flatMap(({ start, end }) =>
        [
          { start, end: Math.min(end, other.start) },
          { start: Math.max(start, other.end), end },
        ].filter((run) => run.start < run.end),
      ),
    [...runs],
  )
}
