/** Nights as tests spend them: short ones, with few files. */
import { expect } from 'vitest'
import { isGood, judge } from './judge.ts'
import { spendNight } from './night.ts'
import { planNight, type Scenario } from './scenarios.ts'

export const FILES = 30
/** How long a window is open, where the scenario does not say. */
export const HOURS = 3
/** A limit for what hangs: a night takes seconds of a machine that has nothing else to do. */
export const PATIENCE_MS = 120_000

export async function expectGoodNight(scenario: Scenario): Promise<void> {
  const verdict = judge(await spendNight(planNight(scenario, 1, FILES, HOURS)))
  const { violations, complaints, wrong } = verdict
  expect({ violations, complaints, wrong }).toEqual({ violations: [], complaints: [], wrong: 0 })
  expect(verdict.had).toBe(verdict.possible)
  expect(isGood(verdict)).toBe(true)
}
