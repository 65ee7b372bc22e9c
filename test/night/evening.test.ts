/** Simulated nights as people set them up and as machines spoil them, each judged as those of night.test.ts. */
import { it } from 'vitest'
import { expectGoodNight, PATIENCE_MS } from './spent.ts'

it.each(['deadlines', 'profiles', 'engineEnds', 'repeats', 'starts', 'clockJumps', 'battery', 'mix'] as const)(
  'after a night of “%s” all is there that could be had, the report is true, and no host was asked for too much',
  expectGoodNight,
  PATIENCE_MS,
)
