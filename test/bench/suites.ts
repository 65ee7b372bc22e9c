/** All benchmarks, in the order in which they run. A new one is a line here and a file that exports its `Suite`. */
import { limits } from './limits.ts'
import { memory } from './memory.ts'
import { planner } from './planner.ts'
import { small } from './small.ts'
import type { Suite } from './suite.ts'
import { throughput } from './throughput.ts'

export const SUITES: Readonly<Record<string, Suite>> = { throughput, small, memory, planner, limits }
