/**
 * `kill -9` at any moment: nothing that was acknowledged is lost, nothing is doubled or wrong, and little is fetched
 * twice. A few kills here; `npm run crash -- --seeds N --kills N` goes on.
 */
import { expect, it } from 'vitest'
import { crashSession } from '../durability/crash-session.ts'

const MIB = 1024 * 1024

it('twenty kills, of two seeds: what was acknowledged holds, every file is as its source, and at most two checkpoints’ bytes are lost', async () => {
  const sessions = await Promise.all(
    [1, 2].map((seed) => crashSession({ seed, kills: 10, haste: 10, bytesPerSecond: 8 * MIB })),
  )
  const kills = sessions.flatMap((session) => session.kills)
  expect(kills).toHaveLength(20)
  // That there was something to lose, and something to go on with.
  expect(kills.filter(({ sentBytes }) => sentBytes > 0).length).toBeGreaterThan(5)
  expect(kills.filter(({ lostBytes }) => lostBytes > 0).length).toBeGreaterThan(3)
  expect(kills.filter(({ heldBytes }) => heldBytes > 0).length).toBeGreaterThan(0)
  for (const { files, bytes } of sessions) {
    expect(files).toBeGreaterThan(0)
    expect(bytes).toBeGreaterThan(0)
  }
}, 120_000)
