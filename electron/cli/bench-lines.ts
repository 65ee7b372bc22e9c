/** What `bench` says: its intention, its tables, and why something was left out. Pure. */
import { formatBytes, formatCount, formatDuration, formatRate } from '../../shared/format.ts'
import type { Compared, ComparisonPlan, Group, Skip, SkipReason, StrategyName } from '../engine/comparison-plan.ts'

const NAMES: Record<StrategyName, (connections: number) => string> = {
  fresh: () => 'a new connection for each',
  keep_alive: () => 'one kept connection',
  parallel: (connections) => `${connections} kept connections`,
  http2: () => 'HTTP/2, one connection',
  segments: (connections) => (connections === 1 ? 'one connection' : `${connections} connections`),
}

const GROUPS: Record<Group, string> = { small: 'small requests', large: 'one large range' }

const REASONS: Record<SkipReason, string> = {
  no_ranges: 'the server sends this file only as a whole, or does not tell its size',
  file_too_small: 'the file is too small to tell anything',
  byte_limit: 'too few bytes may be read (--max-bytes)',
  time_limit: 'there was no time left (--max-seconds)',
  not_https: 'it needs https',
  http2_not_offered: 'the server does not offer it',
}

/** What is going to be sent, said before it is. */
export function intentionLine(host: string, { requests, bytes, connections }: ComparisonPlan, maxMs: number): string {
  const times = connections === 1 ? 'one connection' : `at most ${connections} connections at once`
  return `Up to ${formatCount(requests)} requests to ${host} over ${times}, up to ${formatBytes(bytes)}, within ${formatDuration(maxMs)}`
}

export function skipLine({ group, strategy, reason }: Skip): string {
  const what = strategy === null ? '' : strategy === 'http2' ? 'HTTP/2 for ' : 'several connections for '
  return `Left out: ${what}${GROUPS[group]}, because ${REASONS[reason]}`
}

/** A table for each group that has results, with an empty line between two. */
export function comparisonLines(results: readonly Compared[]): string[] {
  return (['small', 'large'] as const).flatMap((group) => {
    const rows = results.filter((result) => result.group === group)
    if (rows.length === 0) return []
    const gap = rows.includes(results[0]!) ? [] : ['']
    const rate = ({ requests, bytes, ms }: Compared) =>
      group === 'small' ? `${((requests * 1000) / ms).toFixed(1)}` : formatRate((bytes * 1000) / ms)
    const table = [
      [
        GROUPS[group].toUpperCase(),
        'BYTES',
        'TIME',
        ...(group === 'small' ? ['MEDIAN', 'PER SECOND'] : ['SPEED']),
        'FACTOR',
      ],
      ...rows.map((row) => [
        NAMES[row.strategy](row.connections),
        formatBytes(row.bytes),
        `${(row.ms / 1000).toFixed(2)} s`,
        ...(group === 'small' ? [row.medianMs === null ? '' : `${row.medianMs.toFixed(1)} ms`] : []),
        rate(row),
        row.factor === null ? '' : `${row.factor.toFixed(2)}×`,
      ]),
    ]
    const widths = table[0]!.map((_, column) => Math.max(...table.map((cells) => cells[column]!.length)))
    const lines = table.map((cells) =>
      cells.map((cell, column) => (column === 0 ? cell.padEnd(widths[0]!) : cell.padStart(widths[column]!))).join('  '),
    )
    return [...gap, ...lines]
  })
}
