/** What measurements say: medians, quartiles, ratios, tables. Pure. */
import type { Served } from './served.ts'

/** One run of one program, seen from outside. */
export interface Measurement {
  /** from its start to its exit */
  wallSeconds: number
  /** user and system time of it and of the programs it started and waited for */
  cpuSeconds: number
  /** resident memory at its highest, of the largest of these processes */
  peakBytes: number
  /** what a server of our own saw of it */
  served?: Served
}

/** The runs of one variant, by round. */
export interface Samples {
  name: string
  runs: readonly Measurement[]
}

/** How values lie: on a machine with other work, the minimum and the quartiles say how much to believe a median. */
export interface Spread {
  min: number
  lowerQuartile: number
  median: number
  upperQuartile: number
  max: number
}

/** A variant beside one that it is compared with: above 1 it took more. */
export interface Ratio {
  to: string
  wall: Spread
  cpu: Spread
}

export interface Row {
  name: string
  wallSeconds: Spread
  cpuSeconds: Spread
  peakBytes: Spread
  /** in the order of `references`, without those that were not measured */
  ratios: Ratio[]
}

/** Columns of text, the first of them names. */
export interface Table {
  header: readonly string[]
  lines: readonly (readonly string[])[]
}

/** How `values` lie; between two of them a quartile is interpolated. Throws RangeError where there is none. */
export function spread(values: readonly number[]): Spread {
  if (values.length === 0) throw new RangeError('there is no median of nothing')
  const sorted = values.toSorted((a, b) => a - b)
  const at = (share: number) => {
    const place = share * (sorted.length - 1)
    const below = sorted[Math.floor(place)]!
    return below + (sorted[Math.ceil(place)]! - below) * (place % 1)
  }
  return { min: at(0), lowerQuartile: at(0.25), median: at(0.5), upperQuartile: at(0.75), max: at(1) }
}

/**
 * The ratios of each round: machines drift by a factor of two within minutes, so that only what ran next to each other
 * may be compared. Throws RangeError where the rounds are not the same.
 */
export function ratios(ours: readonly number[], theirs: readonly number[]): Spread {
  if (ours.length !== theirs.length)
    throw new RangeError(`${ours.length} rounds cannot be compared with ${theirs.length}`)
  return spread(ours.map((value, round) => value / theirs[round]!))
}

/** Each variant by itself and beside the variants named by `references`. */
export function summarize(samples: readonly Samples[], references: readonly string[]): Row[] {
  const compared = references.flatMap((name) => samples.filter((sample) => sample.name === name))
  return samples.map(({ name, runs }) => {
    const column = (key: 'wallSeconds' | 'cpuSeconds' | 'peakBytes', of = runs) => of.map((run) => run[key])
    return {
      name,
      wallSeconds: spread(column('wallSeconds')),
      cpuSeconds: spread(column('cpuSeconds')),
      peakBytes: spread(column('peakBytes')),
      ratios: compared.map((other) => ({
        to: other.name,
        wall: ratios(column('wallSeconds'), column('wallSeconds', other.runs)),
        cpu: ratios(column('cpuSeconds'), column('cpuSeconds', other.runs)),
      })),
    }
  })
}

/**
 * The order of a round: everyone once, at random, so that nobody always runs on what the same neighbour left behind
 * (a gigabyte on its way to the disk). `random` in [0, 1). Fisher and Yates.
 */
export function shuffled<T>(items: readonly T[], random: () => number = Math.random): T[] {
  const order = [...items]
  for (let left = order.length; left > 1; left--) {
    const chosen = Math.floor(random() * left)
    order.push(...order.splice(chosen, 1))
  }
  return order
}

/** Medians of time and memory, and the median ratios. */
export function comparisonTable(rows: readonly Row[]): Table {
  const references = rows[0]?.ratios.map(({ to }) => to) ?? []
  return {
    header: [
      'variant',
      'wall s',
      'CPU s',
      'peak MB',
      ...references.flatMap((name) => [`wall / ${name}`, `CPU / ${name}`]),
    ],
    lines: rows.map((row) => [
      row.name,
      row.wallSeconds.median.toFixed(2),
      row.cpuSeconds.median.toFixed(2),
      (row.peakBytes.median / 1e6).toFixed(0),
      ...row.ratios.flatMap(({ wall, cpu }) => [wall.median.toFixed(2), cpu.median.toFixed(2)]),
    ]),
  }
}

/** A Markdown table, its columns aligned for those who read it in a terminal. */
export function formatTable({ header, lines }: Table): string {
  const widths = header.map((title, index) => Math.max(title.length, ...lines.map((line) => line[index]!.length)))
  const write = (cells: readonly string[]) =>
    `| ${cells.map((cell, index) => (index === 0 ? cell.padEnd(widths[0]!) : cell.padStart(widths[index]!))).join(' | ')} |`
  const rule = `|${widths.map((width, index) => (index === 0 ? '-'.repeat(width + 2) : `${'-'.repeat(width + 1)}:`)).join('|')}|`
  return [write(header), rule, ...lines.map(write)].join('\n')
}
