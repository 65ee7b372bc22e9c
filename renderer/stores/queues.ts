/** The queues as the engine tells of them: when one was changed, and when one does something else than before. */
import { create } from 'zustand'
import type { Contract } from '../../shared/contract.ts'
import type { QueueView } from '../../shared/queues.ts'
import type { Client, Subscription } from '../../shared/rpc.ts'

/** null: not known yet */
export const useQueues = create<{ queues: readonly QueueView[] | null }>(() => ({ queues: null }))

/** Subscribes first, then asks, so that nothing falls between. */
export async function attachQueues(client: Client<Contract>, visible: boolean): Promise<Subscription> {
  let told = false
  const subscription = await client.subscribe(
    'queues.changed',
    (queues) => {
      told = true
      useQueues.setState({ queues })
    },
    { visible },
  )
  const queues = await client.call('queues.list')
  if (!told) useQueues.setState({ queues })
  return subscription
}
