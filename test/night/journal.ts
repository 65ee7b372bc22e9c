/** What the network of a night saw, as it happened: the truth that the engine and its report are judged by. */

export interface Asked {
  /** epoch ms at which the engine asked, by the machine's clock as all times here */
  at: number
  host: string
  /** null: not of a file */
  file: number | null
  range: string | null
  /** null: no reply */
  status: number | null
  /** what the network did instead of an answer, or after it; null: nothing */
  failure: string | null
  /** of the body, as they were handed over */
  bytes: number
  /** epoch ms of the last of them, and of the reply; null: none */
  lastByteAt: number | null
  /** when it was over; null: it is not */
  endedAt: number | null
  /** only the size was asked for, beforehand */
  probe: boolean
}

export interface Violation {
  at: number
  rule: 'connections' | 'requests' | 'retry-after' | 'window' | 'rate' | 'start' | 'power' | 'profile'
  text: string
}

/** The engine writes figures down once a second. */
const UNWRITTEN_MS = 1_500

export class Journal {
  readonly asked: Asked[] = []
  readonly violations: Violation[] = []
  /** the most connections that were open at once, by host */
  readonly mostOpen = new Map<string, number>()
  /** queue -> second (epoch s) -> bytes that came */
  readonly bytesBySecond = new Map<string, Map<number, number>>()
  /** the same by the time that it was, whatever the machine's clock said */
  readonly bytesByWorldSecond = new Map<string, Map<number, number>>()
  /** requests that an engine which was killed could not write down any more, and bytes that came in its last moments */
  readonly lost: { asked: Asked[]; bytesByQueue: Map<string, number> } = { asked: [], bytesByQueue: new Map() }

  open(host: string, connections: number): void {
    this.mostOpen.set(host, Math.max(this.mostOpen.get(host) ?? 0, connections))
  }

  came(queue: string, at: number, world: number, bytes: number): void {
    for (const [map, moment] of [
      [this.bytesBySecond, at],
      [this.bytesByWorldSecond, world],
    ] as const) {
      const seconds = map.get(queue) ?? new Map<number, number>()
      map.set(queue, seconds)
      const second = Math.floor(moment / 1000)
      seconds.set(second, (seconds.get(second) ?? 0) + bytes)
    }
  }

  /** The engine is killed: what it had not written down by now, it never does. */
  killed(at: number): void {
    this.lost.asked.push(...this.asked.filter(({ endedAt }) => endedAt === null || endedAt > at - UNWRITTEN_MS))
    for (const [queue, seconds] of this.bytesBySecond)
      for (const [second, bytes] of seconds)
        if (second * 1000 > at - UNWRITTEN_MS - 1000)
          this.lost.bytesByQueue.set(queue, (this.lost.bytesByQueue.get(queue) ?? 0) + bytes)
  }

  violated(at: number, rule: Violation['rule'], text: string): void {
    this.violations.push({ at, rule, text })
  }
}
