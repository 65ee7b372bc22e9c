/** Runs variants in rounds: everyone in every round, in a new order, each into a fresh folder. */
import { mkdir, mkdtemp, rm } from 'node:fs/promises'
import { join } from 'node:path'
import { say } from '../../scripts/repository.ts'
import { measure } from './measure.ts'
import { type Measurement, type Samples, shuffled } from './report.ts'
import { checkDownloads, type SourceFile } from './sources.ts'
import type { Variant } from './variants.ts'

export interface Workload {
  title: string
  variants: readonly Variant[]
  /** what each must have saved in the end, unless the variant says otherwise */
  files: readonly SourceFile[]
  /** a round before those that count; without it the first one is also the thorough one */
  warmUp: boolean
  /** stands around every run, to prepare a server for it and to add what it saw */
  around?: (variant: Variant, run: () => Promise<Measurement>) => Promise<Measurement>
}

export interface RoundsOptions {
  rounds: number
  /** for everything that is written; emptied by whoever made it */
  folder: string
  /** where GNU time is */
  time: string
  signal: AbortSignal
}

/**
 * The samples of `rounds` rounds. A round that warms up is not counted: it fills the caches (the served file, the
 * compile cache of Node). The first round compares what was saved by SHA-256; the others compare sizes.
 */
export async function runRounds(workload: Workload, options: RoundsOptions): Promise<Samples[]> {
  const { title, variants, files, warmUp, around = (_variant, run) => run() } = workload
  const samples = variants.map((variant) => ({ variant, runs: [] as Measurement[] }))
  const first = warmUp ? 0 : 1
  for (let round = first; round <= options.rounds; round += 1) {
    for (const { variant, runs } of shuffled(samples)) {
      const saved = variant.files ?? files
      const measurement = await around(variant, () => runOnce(variant, saved, round === first, options))
      const label = round === 0 ? 'warming up' : `round ${round} of ${options.rounds}`
      say(`${title}, ${label}: ${variant.name} ${measurement.wallSeconds.toFixed(2)} s`)
      if (round > 0) runs.push(measurement)
    }
  }
  return samples.map(({ variant, runs }) => ({ name: variant.name, runs }))
}

async function runOnce(
  variant: Variant,
  files: readonly SourceFile[],
  thorough: boolean,
  { folder, time, signal }: RoundsOptions,
): Promise<Measurement> {
  const own = await mkdtemp(join(folder, 'run-'))
  const downloads = join(own, 'downloads')
  await mkdir(downloads)
  // Nothing of the person's own settings, and a new profile every time: making its database is part of our time.
  const env = {
    PATH: process.env.PATH,
    LC_ALL: 'C',
    HOME: own,
    TMPDIR: folder,
    NODE_COMPILE_CACHE: join(folder, 'compile-cache'),
    NIGHTHAUL_HOME: join(own, 'profile'),
  }
  try {
    const measurement = await measure(variant.command(downloads), { time, folder: own, env, signal })
    await checkDownloads(downloads, files, thorough)
    return measurement
  } catch (error) {
    signal.throwIfAborted()
    throw new Error(`${variant.name}: ${error instanceof Error ? error.message : error}`, { cause: error })
  } finally {
    await rm(own, { recursive: true, force: true })
  }
}
