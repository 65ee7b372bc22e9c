/** Which profile holds, as the engine tells of it. */
import { create } from 'zustand'
import type { Contract } from '../../shared/contract.ts'
import type { ProfilesView } from '../../shared/profiles.ts'
import type { Client, Subscription } from '../../shared/rpc.ts'

/** null: not known yet */
export const useProfiles = create<{ view: ProfilesView | null }>(() => ({ view: null }))

/** Subscribes first, then asks, so that nothing falls between. */
export async function attachProfiles(client: Client<Contract>, visible: boolean): Promise<Subscription> {
  let told = false
  const subscription = await client.subscribe(
    'profiles.changed',
    (view) => {
      told = true
      useProfiles.setState({ view })
    },
    { visible },
  )
  const view = await client.call('profiles.list')
  if (!told) useProfiles.setState({ view })
  return subscription
}
