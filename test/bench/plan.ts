/** What the command line of the benchmark asks for. */
import { tmpdir } from 'node:os'
import { resolve } from 'node:path'
import { parseArgs } from 'node:util'
import { parseRate, parseWhole } from '../../electron/cli/parse.ts'

export interface Plan {
  /** names of the benchmarks, in their order */
  suites: string[]
  /** of the large file */
  sizeBytes: number
  /** of the file that memory must not grow with */
  largeSizeBytes: number
  /** how many small files */
  smallFiles: number
  /** the share of the usual sizes that the planner's runs transfer */
  shapedShare: number
  rounds: number
  dir: string
  json: string | null
}

export const DEFAULTS = { size: '1G', largeSize: '8G', rounds: '5', smallFiles: 2000, shapedShare: 1 } as const
/** A look at whether everything runs; its figures are rough. */
export const QUICK = { size: '128M', largeSize: '512M', rounds: '1', smallFiles: 200, shapedShare: 1 / 2 } as const

/** Null: the help is wanted. `known`: every benchmark there is. Throws what is wrong, in one sentence. */
export function readPlan(args: readonly string[], known: readonly string[]): Plan | null {
  const { values, positionals } = parseArgs({
    args: [...args],
    allowPositionals: true,
    options: {
      quick: { type: 'boolean', default: false },
      size: { type: 'string' },
      'large-size': { type: 'string' },
      rounds: { type: 'string' },
      dir: { type: 'string', default: tmpdir() },
      json: { type: 'string' },
      help: { type: 'boolean', short: 'h', default: false },
    },
  })
  if (values.help) return null
  const unknown = positionals.find((name) => name !== 'all' && !known.includes(name))
  if (unknown !== undefined) throw new Error(`there is no benchmark “${unknown}”`)
  const all = positionals.length === 0 || positionals.includes('all')
  const usual = values.quick ? QUICK : DEFAULTS
  return {
    suites: known.filter((name) => all || positionals.includes(name)),
    sizeBytes: parseRate(values.size ?? usual.size),
    largeSizeBytes: parseRate(values['large-size'] ?? usual.largeSize),
    smallFiles: usual.smallFiles,
    shapedShare: usual.shapedShare,
    rounds: parseWhole(values.rounds ?? usual.rounds, 1, 100),
    dir: resolve(values.dir),
    json: values.json ?? null,
  }
}
