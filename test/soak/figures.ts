/** What a soak counted and measured, as a table and as data. Pure. */
import { formatBytes } from '../../shared/format.ts'

/** How the engine’s process was at one moment. */
export interface Sample {
  /** ms since the soak began */
  at: number
  residentBytes: number
  openFiles: number
  /** ms, since the sample before */
  loopDelayMs: { median: number; p99: number; most: number }
}

/** One life of the process, from its start to its end. */
export interface Life {
  samples: Sample[]
  end: 'killed' | 'stopped' | 'running'
}

export interface Counts {
  right: number
  wrong: number
  /** acknowledged, and gone without anybody having removed it; or never came to an end */
  lost: number
  /** failures with another code than the fault explains */
  unexpected: number
  /** failures that are right: the server gave no choice */
  refused: Record<string, number>
  bytes: number
  removed: number
  restored: number
  requests: number
  retries: number
  pauses: number
  kills: number
  stops: number
  flaps: number
  /** files in the folder after all tasks were removed, but for those below */
  leftover: number
  /** bad files (NAME.bad) that a kill came between: they are kept beside, and no task knows them any more */
  setAside: number
}

export interface Flatness {
  /** of the judged life, without its warm-up: from its first third to its last, medians */
  from: number
  to: number
  most: number
  perMinute: number
}

export interface Figures extends Counts {
  seed: number
  minutes: number
  /** the longest life without a kill; null: too short to say anything */
  memory: Flatness | null
  openFiles: (Flatness & { atRestBefore: number; atRestAfter: number }) | null
  loopDelayMs: { median: number; p99: number; most: number }
}

/** Code is compiled, buffers are made, caches fill. */
const WARM_UP_MS = 30_000
const ENOUGH_SAMPLES = 9

/** Null where the life was too short. */
export function flatness(life: Life, value: (sample: Sample) => number): Flatness | null {
  const began = life.samples[0]?.at ?? 0
  const warm = life.samples.filter(({ at }) => at - began >= WARM_UP_MS)
  if (warm.length < ENOUGH_SAMPLES) return null
  const third = Math.floor(warm.length / 3)
  return {
    from: median(warm.slice(0, third).map(value)),
    to: median(warm.slice(-third).map(value)),
    most: Math.max(...warm.map(value)),
    perMinute: slope(warm.map((sample) => [sample.at / 60_000, value(sample)])),
  }
}

/** Of the straight line that fits best. */
export function slope(points: readonly (readonly [x: number, y: number])[]): number {
  const mean = (values: number[]) => values.reduce((sum, value) => sum + value, 0) / values.length
  const meanX = mean(points.map(([x]) => x))
  const meanY = mean(points.map(([, y]) => y))
  const spread = points.reduce((sum, [x]) => sum + (x - meanX) ** 2, 0)
  return spread === 0 ? 0 : points.reduce((sum, [x, y]) => sum + (x - meanX) * (y - meanY), 0) / spread
}

export function median(values: readonly number[]): number {
  const sorted = [...values].sort((a, b) => a - b)
  return sorted[Math.floor(sorted.length / 2)] ?? 0
}

/** Over all lives: the usual sample’s figures, and the worst of all. */
export function loopDelay(lives: readonly Life[]): Figures['loopDelayMs'] {
  const all = lives.flatMap(({ samples }) => samples.map(({ loopDelayMs }) => loopDelayMs))
  return {
    median: median(all.map((delay) => delay.median)),
    p99: median(all.map((delay) => delay.p99)),
    most: Math.max(0, ...all.map((delay) => delay.most)),
  }
}

export function longestLife(lives: readonly Life[]): Life {
  return lives.reduce((best, life) => (life.samples.length > best.samples.length ? life : best), {
    samples: [],
    end: 'running',
  })
}

/** Whether everything came out as it must. */
export function isGood({ wrong, lost, unexpected, leftover }: Counts): boolean {
  return wrong + lost + unexpected + leftover === 0
}

/** Lines of two columns. */
export function table(figures: Figures): string {
  const { memory, openFiles, loopDelayMs, refused } = figures
  const refusals = Object.values(refused).reduce((sum, count) => sum + count, 0)
  const refusedCodes = Object.entries(refused).map(([code, count]) => `${code} ${count}`)
  const bytes = (value: number) => formatBytes(Math.round(value))
  const ms = (value: number) => `${value.toFixed(1)} ms`
  const rows: [string, string][] = [
    ['seed, minutes', `${figures.seed}, ${figures.minutes.toFixed(1)}`],
    ['files right', `${figures.right} (${bytes(figures.bytes)})`],
    ['files wrong', String(figures.wrong)],
    ['tasks lost', String(figures.lost)],
    ['failed as they had to', `${refusals}${refusals > 0 ? ` (${refusedCodes.join(', ')})` : ''}`],
    ['failed otherwise', String(figures.unexpected)],
    ['files left over', String(figures.leftover)],
    ['bad ones kept aside', String(figures.setAside)],
    ['removed by the user', String(figures.removed)],
    ['removed and restored', String(figures.restored)],
    ['requests', String(figures.requests)],
    ['retries', String(figures.retries)],
    ['pauses', String(figures.pauses)],
    ['kill -9 survived', String(figures.kills)],
    ['clean restarts', String(figures.stops)],
    ['network flaps', String(figures.flaps)],
    [
      'memory',
      memory
        ? `${bytes(memory.from)} to ${bytes(memory.to)}, at most ${bytes(memory.most)}, ${(memory.perMinute / 1024 / 1024).toFixed(2)} MiB a minute`
        : 'too short to say',
    ],
    [
      'open files',
      openFiles
        ? `${openFiles.from} to ${openFiles.to}, at most ${openFiles.most}; at rest ${openFiles.atRestBefore} before and ${openFiles.atRestAfter} after`
        : 'too short to say',
    ],
    [
      'event-loop delay',
      `median ${ms(loopDelayMs.median)}, p99 ${ms(loopDelayMs.p99)}, longest ${ms(loopDelayMs.most)}`,
    ],
  ]
  return rows.map(([name, value]) => `${name.padEnd(24)}${value}`).join('\n')
}
