/** What a benchmark is, and what it is given. suites.ts lists them all. */
import type { Plan } from './plan.ts'
import type { Programs } from './programs.ts'
import { comparisonTable, formatTable, type Row, type Samples, summarize, type Table } from './report.ts'
import { type RoundsOptions, runRounds, type Workload } from './rounds.ts'
import type { Server } from './server.ts'

/** One benchmark: `npm run bench -- NAME`. */
export interface Suite {
  /** for the help: one line */
  what: string
  /** free bytes it needs in the folder, what it serves and what is saved at once */
  roomBytes(plan: Plan): number
  run(bench: Bench): Promise<Result[]>
}

export interface Bench {
  plan: Plan
  programs: Programs
  /** nginx over `root` */
  server: Server
  root: string
  options: RoundsOptions
}

/** One table, and every figure it was made of. */
export interface Result {
  title: string
  table: Table
  figures: unknown
}

/** Prints a table as soon as it is there: a long evening may be cut short. */
export function shown(result: Result): Result {
  process.stdout.write(`\n${result.title}\n\n${formatTable(result.table)}\n\n`)
  return result
}

/** Runs the rounds of one workload. Its figures are the spread of each variant and every single run. */
export async function compare(
  workload: Workload,
  references: readonly string[],
  options: RoundsOptions,
  tableOf: (samples: readonly Samples[], rows: readonly Row[]) => Table = (_samples, rows) => comparisonTable(rows),
): Promise<Result> {
  const samples = await runRounds(workload, options)
  const rows = summarize(samples, references)
  return shown({ title: workload.title, table: tableOf(samples, rows), figures: { rows, samples } })
}
