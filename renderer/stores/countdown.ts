/** What is about to happen to the machine, and the browser's notification when the work is done. */
import { create } from 'zustand'
import type { Contract } from '../../shared/contract.ts'
import { formatBytes } from '../../shared/format.ts'
import { noticeSentence } from '../../shared/notices.ts'
import type { Client, Subscription } from '../../shared/rpc.ts'
import type { Countdown, WorkDone } from '../../shared/unattended.ts'
import { showNotification } from '../ui/notification.ts'
import { openAddress } from './window.ts'

export const useCountdown = create<{ countdown: Countdown | null }>(() => ({ countdown: null }))

/** Subscribes first, then asks, so that nothing falls between. */
export async function attachCountdown(client: Client<Contract>, visible: boolean): Promise<Subscription[]> {
  const take = (countdown: Countdown | null): void => useCountdown.setState({ countdown })
  const changed = await client.subscribe('countdown.changed', take, { visible })
  const done = await client.subscribe('work.done', showDone, { visible })
  take(await client.call('countdown.get'))
  return [changed, done]
}

function showDone({ queue, done, failed, left, bytes }: WorkDone): void {
  const params = { queue, done, failed: failed + left, bytes: formatBytes(bytes) }
  const sentence = noticeSentence({ code: queue === null ? 'all_done' : 'queue_done', params })
  showNotification('Nighthaul', sentence, () => openAddress({ page: 'report' }))
}
