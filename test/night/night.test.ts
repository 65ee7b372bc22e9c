/** Simulated nights, each judged by what the simulated network saw. `npm run night` spends larger ones. */
import { expect, it } from 'vitest'
import { isGood, judge, type Verdict } from './judge.ts'
import { spendNight } from './night.ts'
import { planNight, SCENARIOS, type Scenario } from './scenarios.ts'

const FILES = 60
/** A limit for what hangs: a night takes seconds of a machine that has nothing else to do. */
const PATIENCE_MS = 120_000

const night = async (scenario: Scenario, seed: number, files = FILES): Promise<Verdict> =>
  judge(await spendNight(planNight(scenario, seed, files)))

it.each(SCENARIOS)(
  'after a night of “%s” all is there that could be had, and no host was asked for too much',
  async (name) => {
    const verdict = await night(name, 1)
    const { violations, complaints, wrong } = verdict
    expect({ violations, complaints, wrong }).toEqual({ violations: [], complaints: [], wrong: 0 })
    expect(verdict.had).toBe(verdict.possible)
    expect(isGood(verdict)).toBe(true)
  },
)

it(
  'a seed repeats its night to the last request',
  async () => {
    const [first, second] = [await night('everything', 7, 20), await night('everything', 7, 20)]
    expect({ ...second, realSeconds: 0 }).toEqual({ ...first, realSeconds: 0 })
  },
  PATIENCE_MS,
)
