/** What the network of a night saw, as it happened: the truth that the engine and its report are judged by. */

export interface Asked {
  /** epoch ms at which the engine asked */
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
}

export interface Violation {
  at: number
  rule: 'connections' | 'requests' | 'retry-after' | 'window' | 'rate'
  text: string
}

export class Journal {
  readonly asked: Asked[] = []
  readonly violations: Violation[] = []
  /** the most connections that were open at once, by host */
  readonly mostOpen = new Map<string, number>()
  /** queue -> second (epoch s) -> bytes that came */
  readonly bytesBySecond = new Map<string, Map<number, number>>()

  open(host: string, connections: number): void {
    this.mostOpen.set(host, Math.max(this.mostOpen.get(host) ?? 0, connections))
  }

  came(queue: string, at: number, bytes: number): void {
    const seconds = this.bytesBySecond.get(queue) ?? new Map<number, number>()
    this.bytesBySecond.set(queue, seconds)
    const second = Math.floor(at / 1000)
    seconds.set(second, (seconds.get(second) ?? 0) + bytes)
  }

  violated(at: number, rule: Violation['rule'], text: string): void {
    this.violations.push({ at, rule, text })
  }
}
