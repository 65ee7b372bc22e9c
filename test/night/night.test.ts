/**
 * Simulated nights with trouble in the network, each judged by what the simulated network saw. Those that people or the
 * machine make are in evening.test.ts; `npm run night` spends larger ones.
 */
import { expect, it } from 'vitest'
import { judge } from './judge.ts'
import { spendNight } from './night.ts'
import { planNight } from './scenarios.ts'
import { expectGoodNight, HOURS, PATIENCE_MS } from './spent.ts'

it.each([
  'calm',
  'flaps',
  'storm429',
  'expiring',
  'restarts',
  'dst-spring',
  'dst-autumn',
  'sleep',
  'portal',
  'slowHost',
  'everything',
] as const)(
  'after a night of “%s” all is there that could be had, the report is true, and no host was asked for too much',
  expectGoodNight,
  PATIENCE_MS,
)

it(
  'a seed repeats its night to the last request',
  async () => {
    const night = async () => judge(await spendNight(planNight('mix', 7, 12, HOURS)))
    const [first, second] = [await night(), await night()]
    expect({ ...second, realSeconds: 0 }).toEqual({ ...first, realSeconds: 0 })
  },
  PATIENCE_MS,
)
