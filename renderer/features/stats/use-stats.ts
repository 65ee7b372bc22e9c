/** Figures and throughput for the page: asked again every few seconds while somebody looks. */
import { useEffect, useState } from 'react'
import { type ErrorInfo, toErrorInfo } from '../../../shared/errors.ts'
import type { StatsSummary, ThroughputSample } from '../../../shared/schemas.ts'
import { call, useConnection } from '../../session.ts'
import { lastMinute, PERIODS, type Period, ratesOf, SPANS, type Span } from '../../stores/statistics.ts'
import { useThroughput } from '../../stores/throughput.ts'

const REFRESH_MS = 5_000
/** A long time is more to add up, and changes less. */
const LONG_REFRESH_MS = 30_000

/** Asks at once and then every `everyMs`, again when the window is shown, and not while it is hidden. */
function useAsked<T>(ask: () => Promise<T>, key: string, everyMs: number) {
  const [shown, setShown] = useState<{ key: string; value: T | null; error: ErrorInfo | null } | null>(null)
  const connected = useConnection((state) => state.status.kind === 'open')
  useEffect(() => {
    if (!connected) return
    let current = true
    let timer: ReturnType<typeof setTimeout> | undefined
    const look = async (): Promise<void> => {
      clearTimeout(timer)
      if (document.hidden) return
      const next = await ask().then(
        (value) => ({ key, value, error: null }),
        (error: unknown) => ({ key, value: null, error: toErrorInfo(error) }),
      )
      if (!current) return
      setShown((before) => (next.error !== null && before?.key === key ? { ...before, error: next.error } : next))
      clearTimeout(timer)
      timer = setTimeout(look, everyMs)
    }
    void look()
    document.addEventListener('visibilitychange', look)
    return () => {
      current = false
      clearTimeout(timer)
      document.removeEventListener('visibilitychange', look)
    }
  }, [key, connected, everyMs])
  return shown
}

/** The figures of the latest answer, of another period too while the next one is on its way; null: none yet. */
export function useSummary(period: Period): { summary: StatsSummary | null; error: ErrorInfo | null } {
  const ms = PERIODS[period]
  const asked = useAsked(
    () => call('stats.summary', ms === null ? {} : { from: Math.max(0, Date.now() - ms) }),
    period,
    period === 'day' || period === 'week' ? REFRESH_MS : LONG_REFRESH_MS,
  )
  return { summary: asked?.value ?? null, error: asked?.error ?? null }
}

export interface Rates {
  span: Span
  /** epoch ms that the graph shows */
  from: number
  to: number
  samples: readonly ThroughputSample[]
}

/** null: not known yet. */
export function useRates(span: Span): Rates | null {
  const live = useThroughput((state) => state.samples)
  const { ms, stepMs } = SPANS[span]
  const asked = useAsked(
    async (): Promise<Rates | null> => {
      if (stepMs === null) return null
      const to = Date.now()
      const throughput = await call('stats.throughput', { from: to - ms, to, stepMs })
      return { span, from: to - ms, to, samples: ratesOf(throughput, ms, to) }
    },
    span,
    REFRESH_MS,
  )
  if (stepMs !== null) return asked?.value ?? null
  const to = live.at(-1)?.at ?? Date.now()
  return { span, from: to - ms, to, samples: lastMinute(live) }
}
