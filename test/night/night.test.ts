/** Simulated nights, each judged by what the simulated network saw. `npm run night` spends larger ones. */
import { expect, it } from 'vitest'
import { isGood, judge, type Verdict } from './judge.ts'
import { spendNight } from './night.ts'
import { planNight, type Scenario } from './scenarios.ts'

const FILES = 60

const PROVEN: readonly Scenario[] = ['calm', 'expiring', 'restarts', 'dst-spring', 'dst-autumn', 'sleep', 'slowHost']

const night = async (scenario: Scenario, seed: number): Promise<Verdict> =>
  judge(await spendNight(planNight(scenario, seed, FILES)))

it.each(PROVEN)(
  'after a night of “%s” all is there that could be had, and no host was asked for too much',
  async (name) => {
    const verdict = await night(name, 1)
    const { violations, complaints, wrong } = verdict
    expect({ violations, complaints, wrong }).toEqual({ violations: [], complaints: [], wrong: 0 })
    expect(verdict.had).toBe(verdict.possible)
    expect(isGood(verdict)).toBe(true)
  },
)

it('a seed repeats its night to the last request', async () => {
  const [first, second] = [await night('restarts', 7), await night('restarts', 7)]
  expect({ ...second, realSeconds: 0 }).toEqual({ ...first, realSeconds: 0 })
})
