/**
 * Before bytes of one URL are put beside bytes that another one brought: is it the same file? The total size must be the
 * same, and some of what is here is asked again and compared byte for byte (ladder step 4). A strong validator of the new
 * URL then protects its further requests; another server's says nothing about it.
 */

import type { TaskPatch } from '../../shared/records.ts'
import type { Connection } from './connection.ts'
import type { PartFile } from './file-sink.ts'
import type { LaneTransfer } from './lane/lane.ts'
import type { Progress } from './progress.ts'
import type { TokenBucket } from './rate-limiter.ts'
import { notResumable, type Pace, type RemoteFile, type Sampled } from './remote-file.ts'
import { OVERLAP_BYTES } from './resume-ladder.ts'
import { coverage, type Segment } from './segment-plan.ts'

export interface Sample {
  start: number
  /** one past its last byte */
  end: number
}

/** What is compared: the beginning of what is here, its middle and its end, each at most an overlap long. */
export function samplesOf(segments: readonly Segment[]): Sample[] {
  const runs = coverage(segments).filter((run) => run.end > run.start)
  const first = runs[0]
  const last = runs.at(-1)
  if (!first || !last) return []
  const middle = runs[Math.floor(runs.length / 2)]!
  const middleStart = Math.max(middle.start, Math.floor((middle.start + middle.end - OVERLAP_BYTES) / 2))
  const samples = [
    { start: first.start, end: Math.min(first.end, first.start + OVERLAP_BYTES) },
    { start: middleStart, end: Math.min(middle.end, middleStart + OVERLAP_BYTES) },
    { start: Math.max(last.start, last.end - OVERLAP_BYTES), end: last.end },
  ]
  // Where little is here they lie within each other.
  return samples.filter(
    (sample, index) => !samples.slice(0, index).some(({ start, end }) => start <= sample.start && sample.end <= end),
  )
}

export interface ProofContext {
  remote: RemoteFile
  part: PartFile
  progress: Progress
  connection: Connection
  buckets: readonly TokenBucket[]
  /** a request may be sent */
  pace: Pace
  reading: (transfer: LaneTransfer) => Promise<unknown>
}

/**
 * Asks for the samples and compares them. Answers what was learnt of the new URL; null: it does not honour ranges, and
 * the whole file is then compared as it comes (ladder step 5). Throws as RemoteFile.ask, `remote_changed` where it is
 * another file. Nothing is written.
 */
export async function proveSource(context: ProofContext): Promise<TaskPatch | null> {
  const { remote, part, progress, connection, buckets } = context
  const { signal } = connection.abort
  const samples: Sampled[] = []
  for (const { start, end } of samplesOf(progress.segments)) {
    const held = { bytes: progress.writtenBytes, complete: progress.complete }
    const found = await remote.sample(
      { start, end },
      held,
      { buckets, queuedMs: connection.queuedMs },
      context.pace,
      signal,
    )
    if (found === null) {
      // Compared from its start it would be written where nothing is, before what lies behind was compared.
      if (!isPrefix(progress.segments)) throw notResumable()
      remote.unproven = false
      return null
    }
    const transfer = found.reply.receive(
      {
        part,
        start,
        compareBytes: found.end - start,
        bodyEnd: found.end,
        end: found.end,
        decode: null,
        blockHeld: false,
        races: false,
        size: remote.size,
        whole: false,
        digests: [],
        buckets,
      },
      // All of the body is compared: there is nothing to write.
      { written: () => undefined, reached: () => 'stop', takeOver: () => Promise.reject(new Error('it races nobody')) },
      signal,
    )
    await context.reading(transfer)
    samples.push(found)
  }
  return remote.confirm(samples)
}

function isPrefix(segments: readonly Segment[]): boolean {
  const runs = coverage(segments).filter((run) => run.end > run.start)
  return runs.length === 1 && runs[0]!.start === 0
}
