/** Repeating downloads as the engine tells of them. */
import { create } from 'zustand'
import type { Contract } from '../../shared/contract.ts'
import type { RepeatView } from '../../shared/repeats.ts'
import type { Client, Subscription } from '../../shared/rpc.ts'

/** null: not known yet */
export const useRepeats = create<{ repeats: readonly RepeatView[] | null }>(() => ({ repeats: null }))

/** Subscribes first, then asks, so that nothing falls between. */
export async function attachRepeats(client: Client<Contract>, visible: boolean): Promise<Subscription> {
  let told = false
  const subscription = await client.subscribe(
    'repeats.changed',
    (repeats) => {
      told = true
      useRepeats.setState({ repeats })
    },
    { visible },
  )
  const repeats = await client.call('repeats.list')
  if (!told) useRepeats.setState({ repeats })
  return subscription
}
