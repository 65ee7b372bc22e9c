/** Whether memory grows with the file: the peak of a large download beside that of a very large one. */
import { mkdir } from 'node:fs/promises'
import { say } from '../../scripts/repository.ts'
import { ratios, type Samples, spread, type Table } from './report.ts'
import { writeSparseFile } from './sources.ts'
import { compare, type Result, type Suite } from './suite.ts'
import { ARIA2_8, CURL, entries, oneFile, type Variant } from './variants.ts'

/** Peaks repeat well, and the large file takes its time. */
const MOST_ROUNDS = 3
const PEERS = new Set([CURL, ARIA2_8])

export const memory: Suite = {
  what: 'peak memory with the large file and with a very large one (--large-size), which is sparse at the server',
  // The very large file is saved whole, though nothing of it lies at the server.
  roomBytes: (plan) => Math.max(plan.sizeBytes, plan.largeSizeBytes),
  async run({ plan, programs, server, root, options }) {
    await mkdir(root, { recursive: true })
    const ours = `(${entries()[0]!.label})`
    const sizes = [plan.sizeBytes, plan.largeSizeBytes]
    const results: Result[] = []
    for (const scheme of ['http', 'https'] as const) {
      const variants: Variant[] = []
      for (const bytes of sizes) {
        say(`hashing ${bytes} zeros …`)
        const file = await writeSparseFile(root, `zeros-${bytes}.bin`, bytes, options.signal)
        for (const variant of oneFile(`${server[scheme]}/${file.name}`, file.name, programs)) {
          if (PEERS.has(variant.name) || variant.name.endsWith(ours))
            variants.push({ ...variant, name: nameOf(variant.name, bytes), files: [file] })
        }
      }
      const title = `Peak memory, ${scheme}`
      const rounds = Math.min(options.rounds, MOST_ROUNDS)
      results.push(
        await compare({ title, variants, files: [], warmUp: false }, [], { ...options, rounds }, (samples) =>
          memoryTable(samples, sizes),
        ),
      )
    }
    return results
  },
}

const nameOf = (variant: string, bytes: number) => `${variant}, ${gibibytes(bytes)}`

function gibibytes(bytes: number): string {
  return `${Number((bytes / 2 ** 30).toFixed(2))} GiB`
}

/** One line a program, one column a size. */
function memoryTable(samples: readonly Samples[], sizes: readonly number[]): Table {
  const [least, most] = [Math.min(...sizes), Math.max(...sizes)]
  const peaks = (name: string, bytes: number) =>
    samples.find((sample) => sample.name === nameOf(name, bytes))!.runs.map((run) => run.peakBytes)
  const ending = nameOf('', least)
  const programs = samples.filter(({ name }) => name.endsWith(ending)).map(({ name }) => name.slice(0, -ending.length))
  return {
    header: ['variant', `peak MB, ${gibibytes(least)}`, `peak MB, ${gibibytes(most)}`, 'growth'],
    lines: programs.map((name) => [
      name,
      (spread(peaks(name, least)).median / 1e6).toFixed(0),
      (spread(peaks(name, most)).median / 1e6).toFixed(0),
      ratios(peaks(name, most), peaks(name, least)).median.toFixed(2),
    ]),
  }
}
