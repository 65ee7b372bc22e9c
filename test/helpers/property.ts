/**
 * fast-check, with the same cases in every run, so that a change is judged by what it changes and not by luck.
 * NIGHTHAUL_FUZZ_RUNS=N looks further: other cases each time, and N times as many in test/fuzz. A failure names its
 * seed and path, which repeat it; what is found becomes a plain test.
 */
import fc from 'fast-check'

/** How many times the usual number of cases. */
export const TIMES = Math.max(1, Number(process.env.NIGHTHAUL_FUZZ_RUNS) || 1)

if (process.env.NIGHTHAUL_FUZZ_RUNS === undefined) fc.configureGlobal({ seed: 1 })

export default fc
