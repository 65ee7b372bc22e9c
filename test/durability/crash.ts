/**
 * npm run crash -- [--seeds N] [--kills N] [--first SEED] [--haste N] [--cuts N]: kills a downloading process N times for
 * each of N seeds, with a checkpoint every 1,000 / haste ms, and lays N rounds of power cuts through the small downloads.
 * Prints what was lost; the first thing that is not as it must be ends it.
 */
import { parseArgs } from 'node:util'
import { formatBytes } from '../../shared/format.ts'
import { startFaultServer } from '../helpers/fault-server.ts'
import { crashSession, type Kill } from './crash-session.ts'
import { cutEverywhere, SCENARIOS } from './power-cuts.ts'

const { values } = parseArgs({
  options: {
    seeds: { type: 'string', default: '10' },
    kills: { type: 'string', default: '20' },
    first: { type: 'string', default: '1' },
    cuts: { type: 'string', default: '0' },
    haste: { type: 'string', default: '2' },
  },
})
const first = Number(values.first)
const seeds = (count: string) => Array.from({ length: Number(count) }, (_, n) => first + n)
const median = (numbers: number[]) => numbers.toSorted((a, b) => a - b)[Math.floor(numbers.length / 2)] ?? 0

function cells(of: readonly Kill[]): (string | number)[] {
  const lost = of.map(({ lostBytes }) => lostBytes)
  const mean = of.reduce((sum, { active }) => sum + active, 0) / of.length
  const share = of.filter(({ sinceBytes }) => sinceBytes > 0).map(({ lostBytes, sinceBytes }) => lostBytes / sinceBytes)
  const most = Math.max(...of.map(({ lostBytes, sinceBytes }) => lostBytes - sinceBytes))
  return [
    of.length,
    mean.toFixed(1),
    `${formatBytes(median(lost))}, ${formatBytes(Math.max(...lost))}`,
    `${median(share).toFixed(2)}, ${Math.max(...share).toFixed(2)} (${most})`,
  ]
}

console.log(
  'seed | kills | reading at the kill | lost by a kill: median, most | of 2 intervals | files | size | fetched twice',
)
const kills: Kill[] = []
for (const seed of seeds(values.seeds)) {
  const result = await crashSession({
    seed,
    kills: Number(values.kills),
    haste: Number(values.haste),
    bytesPerSecond: 8 * 1024 * 1024,
  })
  kills.push(...result.kills)
  console.log(
    [seed, ...cells(result.kills), result.files, formatBytes(result.bytes), formatBytes(result.twiceBytes)].join(' | '),
  )
}
if (kills.length > 0) console.log(['all', ...cells(kills)].join(' | '))
for (const seed of seeds(values.cuts))
  for (const scenario of SCENARIOS) {
    await using server = await startFaultServer()
    const { moments, cuts } = await cutEverywhere(server, scenario, [seed])
    console.log(`power cut, seed ${seed}, ${scenario.name}: ${moments} moments, ${cuts} cuts`)
  }
