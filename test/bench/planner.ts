/**
 * What the planning of connections is worth, against a server that shapes each connection (shaping.ts): one slow among
 * eight, a cap on each, a long round trip. aria2c is measured beside us in all three, curl where one connection tells
 * something.
 */
import { join } from 'node:path'
import { say } from '../../scripts/repository.ts'
import { formatRate } from '../../shared/format.ts'
import { type Measurement, ratios, spread, type Table } from './report.ts'
import { secondsUntil, settledRate } from './served.ts'
import type { Shape } from './shaping.ts'
import { startShapingServer } from './shaping-server.ts'
import { type SourceFile, writeRandomFile } from './sources.ts'
import { compare, type Result, type Suite } from './suite.ts'
import { shapedFile, type Variant } from './variants.ts'

const MB = 1_000_000
const CAP = 2 * MB
const FAST = 4 * MB
/** Each takes eight to ten seconds with as many connections as it is meant for. */
const BYTES = { one: 20 * MB, eight: 128 * MB, fast: 256 * MB } as const
const RAMPED = 0.9

type FileName = keyof typeof BYTES

/** One way the server behaves, and who downloads what from it. */
interface Case {
  name: string
  shape: Shape
  file: FileName
  connections: number
}

interface Scenario {
  title: string
  cases: readonly Case[]
  header: readonly string[]
  /** the cells of one program, from its runs of each case by name; null where it did not take part */
  cells(runs: (name: string) => readonly Measurement[]): string[]
}

const capped = (slow: Shape['slow']): Shape => ({ bytesPerSecond: CAP, roundTripMs: 0, slow })
const wall = (runs: readonly Measurement[]) => runs.map((run) => run.wallSeconds)
const settled = (runs: readonly Measurement[]) => runs.map((run) => settledRate(run.served!))
const overall = (runs: readonly Measurement[]) => runs.map((run) => run.served!.bytes / run.wallSeconds)
const median = (values: readonly number[], digits = 2) => spread(values).median.toFixed(digits)
const megabytes = (values: readonly number[]) =>
  median(
    values.map((value) => value / MB),
    1,
  )

const SCENARIOS: readonly Scenario[] = [
  {
    title: `Eight connections of ${formatRate(CAP)}, one of them a twentieth of that`,
    cases: [
      { name: 'all alike', shape: capped('never'), file: 'eight', connections: 8 },
      { name: 'one slow', shape: capped('once'), file: 'eight', connections: 8 },
      { name: 'always one slow', shape: capped('always'), file: 'eight', connections: 8 },
    ],
    header: ['all alike, s', 'one slow, s', 'ratio', 'always one slow, s', 'ratio'],
    cells: (runs) => {
      const [alike, once, always] = [runs('all alike'), runs('one slow'), runs('always one slow')].map(wall)
      return [
        median(alike!),
        median(once!),
        ratios(once!, alike!).median.toFixed(2),
        median(always!),
        ratios(always!, alike!).median.toFixed(2),
      ]
    },
  },
  {
    title: `Each connection capped at ${formatRate(CAP)}`,
    cases: [
      { name: 'one connection', shape: capped('never'), file: 'one', connections: 1 },
      { name: 'eight connections', shape: capped('never'), file: 'eight', connections: 8 },
    ],
    header: ['one, MB/s', 'eight, MB/s', 'times', 'one, settled', 'eight, settled', 'times'],
    cells: (runs) => {
      const [one, eight] = [runs('one connection'), runs('eight connections')]
      return [overall, settled].flatMap((rate) => [
        megabytes(rate(one)),
        megabytes(rate(eight)),
        ratios(rate(eight), rate(one)).median.toFixed(2),
      ])
    },
  },
  {
    title: `Round trips of 50 ms, eight connections of ${formatRate(FAST)}`,
    cases: [
      {
        name: 'far away',
        shape: { bytesPerSecond: FAST, roundTripMs: 50, slow: 'never' },
        file: 'fast',
        connections: 8,
      },
    ],
    header: ['s until 90 %', 'settled, MB/s', 'whole run, s', 'connections made'],
    cells: (runs) => {
      const all = runs('far away')
      return [
        median(all.map((run) => secondsUntil(run.served!, RAMPED))),
        megabytes(settled(all)),
        median(wall(all)),
        median(
          all.map((run) => run.served!.connections),
          0,
        ),
      ]
    },
  },
]

export const planner: Suite = {
  what: 'a server that shapes connections: one slow among eight, a cap on each, round trips of 50 ms',
  roomBytes: (plan) => 2 * plan.shapedShare * (BYTES.one + BYTES.eight + BYTES.fast),
  async run({ plan, programs, options }) {
    const root = join(options.folder, 'shaped')
    say('writing files for the shaping server …')
    const files = {} as Record<FileName, SourceFile>
    for (const [name, bytes] of Object.entries(BYTES) as [FileName, number][]) {
      files[name] = await writeRandomFile(root, `${name}.bin`, Math.round(bytes * plan.shapedShare), options.signal)
    }
    await using server = await startShapingServer(root)
    const results: Result[] = []
    for (const { title, cases, header, cells } of SCENARIOS) {
      const runs = cases.flatMap((each) => {
        const file = files[each.file]
        return shapedFile(`${server.origin}/${file.name}`, file.name, each.connections, programs).map((variant) => ({
          program: variant.name,
          case: each,
          variant: { ...variant, name: `${variant.name}, ${each.name}`, files: [file] } satisfies Variant,
        }))
      })
      const workload = {
        title,
        variants: runs.map(({ variant }) => variant),
        files: [],
        // Nearly all of it is waiting: there is nothing to warm.
        warmUp: false,
        around: async (variant: Variant, run: () => Promise<Measurement>) => {
          await server.begin(runs.find((each) => each.variant === variant)!.case.shape)
          const measurement = await run()
          return { ...measurement, served: await server.end() }
        },
      }
      results.push(
        await compare(workload, [], options, (samples): Table => {
          const measured = (program: string) => (name: string) =>
            samples.find((sample) => sample.name === `${program}, ${name}`)!.runs
          const names = [...new Set(runs.map(({ program }) => program))]
          return { header: ['program', ...header], lines: names.map((name) => [name, ...cells(measured(name))]) }
        }),
      )
    }
    return results
  },
}
