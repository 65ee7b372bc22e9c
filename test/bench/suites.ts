/** All benchmarks, in the order in which they run. A new one is a line here and a file that exports its `Suite`. */
import { formatRate } from '../../shared/format.ts'
import { measureLimits } from './limits.ts'
import { memory } from './memory.ts'
import { planner } from './planner.ts'
import { small } from './small.ts'
import { type Suite, shown } from './suite.ts'
import { throughput } from './throughput.ts'

const limits: Suite = {
  what: 'how true speed limits are: 100 kB/s, 1 MB/s and 50 MB/s, each over ten seconds',
  // ten seconds of the highest rate
  roomBytes: () => 500_000_000,
  async run({ options }) {
    const figures = await measureLimits(options.signal)
    const lines = figures.map(({ name, bytesPerSecond, bytes, seconds, deviation }) => [
      `${formatRate(bytesPerSecond)}, ${name}`,
      seconds.toFixed(2),
      formatRate(bytes / seconds),
      `${(100 * deviation).toFixed(2)} %`,
    ])
    return [
      shown({ title: 'Speed limits', table: { header: ['limit', 's', 'measured', 'deviation'], lines }, figures }),
    ]
  },
}

export const SUITES: Readonly<Record<string, Suite>> = { throughput, small, memory, planner, limits }
