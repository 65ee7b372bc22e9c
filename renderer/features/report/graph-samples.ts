/** The bytes of a report's graph as rates, over the time that tells something. Pure. */
import type { Graph, NightReport } from '../../../shared/report.ts'
import type { ThroughputSample } from '../../../shared/schemas.ts'

export interface GraphRange {
  from: number
  to: number
}

/** From the first thing that happened to the last, a step to spare on either side: evenings may be long and empty. */
export function graphRange({ from, to, quiet }: Pick<NightReport, 'from' | 'to' | 'quiet'>, graph: Graph): GraphRange {
  const { stepMs, steps } = graph
  const first = Math.min(...steps.map(({ at }) => at), ...quiet.map((time) => time.from))
  const last = Math.max(...steps.map(({ at }) => at + stepMs), ...quiet.map((time) => time.to))
  if (!Number.isFinite(first) || !Number.isFinite(last)) return { from, to }
  return {
    from: Math.max(from, Math.floor(first / stepMs - 1) * stepMs),
    to: Math.min(Math.max(to, last), Math.ceil(last / stepMs + 1) * stepMs),
  }
}

/** Steps that are not named brought nothing. */
export function graphSamples({ stepMs, steps }: Graph, { from, to }: GraphRange): ThroughputSample[] {
  const bytes = new Map(steps.map((step) => [step.at, step.bytes]))
  const samples: ThroughputSample[] = []
  const first = steps[0]?.at ?? from
  for (let at = first - Math.ceil((first - from) / stepMs) * stepMs; at < to; at += stepMs)
    samples.push({ at, bytesPerSecond: ((bytes.get(at) ?? 0) * 1000) / stepMs })
  return samples
}
