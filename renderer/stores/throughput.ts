/** The last minutes of total throughput, one sample a second. */
import { create } from 'zustand'
import type { Contract } from '../../shared/contract.ts'
import type { Client } from '../../shared/rpc.ts'
import type { ThroughputSample } from '../../shared/schemas.ts'

/** What the graph shows. */
export const WINDOW_MS = 5 * 60_000

export interface ThroughputState {
  samples: readonly ThroughputSample[]
}

/** Adds samples in order, drops repeated and old ones. Pure. */
export function mergeSamples(
  known: readonly ThroughputSample[],
  added: readonly ThroughputSample[],
): readonly ThroughputSample[] {
  const last = known.at(-1)?.at ?? Number.NEGATIVE_INFINITY
  const merged = [...known, ...added.filter((sample) => sample.at > last)]
  const oldest = (merged.at(-1)?.at ?? 0) - WINDOW_MS
  return merged.filter((sample) => sample.at >= oldest)
}

export function peakOf(samples: readonly ThroughputSample[]): number {
  return samples.reduce((peak, sample) => Math.max(peak, sample.bytesPerSecond), 0)
}

export const useThroughput = create<ThroughputState>(() => ({ samples: [] }))

export async function attachThroughput(client: Client<Contract>, visible: boolean) {
  const early: ThroughputSample[] = []
  let ready = false
  const subscription = await client.subscribe(
    'throughput.tick',
    (sample) => {
      if (ready) useThroughput.setState(({ samples }) => ({ samples: mergeSamples(samples, [sample]) }))
      else early.push(sample)
    },
    { visible },
  )
  const { samples } = await client.call('throughput.history')
  useThroughput.setState({ samples: mergeSamples(mergeSamples([], samples), early) })
  ready = true
  return subscription
}
