/**
 * A power cut between any two operations of a small download costs bytes, never a wrong file. One seed here, and of the
 * long stories some of the moments; `npm run crash -- --seeds 0 --cuts N` goes on.
 */
import { expect, it } from 'vitest'
import { cutEverywhere, SCENARIOS } from '../durability/power-cuts.ts'
import { startFaultServer } from '../helpers/fault-server.ts'

for (const scenario of SCENARIOS)
  it(`${scenario.name}: under another boot every download ends with the right bytes, whatever the cut left`, async () => {
    await using server = await startFaultServer()
    const every = scenario.isLong ? 5 : 1
    const { moments, cuts } = await cutEverywhere(server, scenario, [1], every)
    expect(moments).toBeGreaterThan(10)
    expect(cuts).toBeGreaterThanOrEqual(Math.floor(moments / every))
  }, 60_000)
