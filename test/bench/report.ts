/** What measurements say: medians, ratios, the table. Pure. */

/** One run of one program, seen from outside. */
export interface Measurement {
  /** from its start to its exit */
  wallSeconds: number
  /** user and system time of it and of the programs it started and waited for */
  cpuSeconds: number
  /** resident memory at its highest, of the largest of these processes */
  peakBytes: number
}

/** The runs of one variant, by round. */
export interface Samples {
  name: string
  runs: readonly Measurement[]
}

/** A variant beside one that it is compared with: above 1 it took more. */
export interface Ratio {
  to: string
  wall: number
  cpu: number
}

export interface Row extends Measurement {
  name: string
  /** in the order of `references`, without those that were not measured */
  ratios: Ratio[]
}

/** The middle of `values`, of an even number the mean of the two in the middle. Throws RangeError where there is none. */
export function median(values: readonly number[]): number {
  if (values.length === 0) throw new RangeError('there is no median of nothing')
  const sorted = values.toSorted((a, b) => a - b)
  const middle = Math.floor(sorted.length / 2)
  return sorted.length % 2 === 1 ? sorted[middle]! : (sorted[middle - 1]! + sorted[middle]!) / 2
}

/**
 * The median of the ratios of each round: machines drift by a factor of two within minutes, so that only what ran
 * next to each other may be compared. Throws RangeError where the rounds are not the same.
 */
export function medianRatio(ours: readonly number[], theirs: readonly number[]): number {
  if (ours.length !== theirs.length)
    throw new RangeError(`${ours.length} rounds cannot be compared with ${theirs.length}`)
  return median(ours.map((value, round) => value / theirs[round]!))
}

/** Medians of each variant and its ratios to the variants named by `references`. */
export function summarize(samples: readonly Samples[], references: readonly string[]): Row[] {
  const compared = references.flatMap((name) => samples.filter((sample) => sample.name === name))
  return samples.map(({ name, runs }) => {
    const column = (key: keyof Measurement, of = runs) => of.map((run) => run[key])
    return {
      name,
      wallSeconds: median(column('wallSeconds')),
      cpuSeconds: median(column('cpuSeconds')),
      peakBytes: median(column('peakBytes')),
      ratios: compared.map((other) => ({
        to: other.name,
        wall: medianRatio(column('wallSeconds'), column('wallSeconds', other.runs)),
        cpu: medianRatio(column('cpuSeconds'), column('cpuSeconds', other.runs)),
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

/** The rows as a Markdown table, its columns aligned for those who read it in a terminal. */
export function formatTable(rows: readonly Row[]): string {
  const references = rows[0]?.ratios.map(({ to }) => to) ?? []
  const header = [
    'variant',
    'wall s',
    'CPU s',
    'peak MB',
    ...references.flatMap((name) => [`wall / ${name}`, `CPU / ${name}`]),
  ]
  const lines = rows.map((row) => [
    row.name,
    row.wallSeconds.toFixed(2),
    row.cpuSeconds.toFixed(2),
    (row.peakBytes / 1e6).toFixed(0),
    ...row.ratios.flatMap(({ wall, cpu }) => [wall.toFixed(2), cpu.toFixed(2)]),
  ])
  const widths = header.map((title, index) =>
    Math.max(...[header, ...lines].map((line) => line[index]!.length), title.length),
  )
  const write = (cells: readonly string[]) =>
    `| ${cells.map((cell, index) => (index === 0 ? cell.padEnd(widths[0]!) : cell.padStart(widths[index]!))).join(' | ')} |`
  const rule = `|${widths.map((width, index) => (index === 0 ? '-'.repeat(width + 2) : `${'-'.repeat(width + 1)}:`)).join('|')}|`
  return [write(header), rule, ...lines.map(write)].join('\n')
}
