/** The nights there are, and the report of the one that is looked at: asked again while it is not over. */
import { useEffect, useState } from 'react'
import { type ErrorInfo, toErrorInfo } from '../../../shared/errors.ts'
import type { NightReport, NightSummary } from '../../../shared/report.ts'
import type { QueueId } from '../../../shared/schemas.ts'
import { call, useConnection, useReportReady } from '../../session.ts'
import { useQueues } from '../../stores/queues.ts'
import { useReportView } from '../../stores/window.ts'

const REFRESH_MS = 30_000

interface Asked {
  nights: NightSummary[]
  /** null: there is none yet */
  report: NightReport | null
}

/** The queue that was chosen, as long as there is one: null, all of them. */
export function useShownQueue(): QueueId | null {
  const chosen = useReportView((state) => state.queueId)
  const isThere = useQueues(({ queues }) => queues?.some(({ id }) => id === chosen) ?? false)
  return isThere ? chosen : null
}

export function useReport(): { asked: Asked | null; error: ErrorInfo | null } {
  const [shown, setShown] = useState<{ asked: Asked | null; error: ErrorInfo | null }>({ asked: null, error: null })
  const night = useReportView((state) => state.night)
  const queueId = useShownQueue()
  const connected = useConnection((state) => state.status.kind === 'open')
  const ready = useReportReady((state) => state.count)
  useEffect(() => {
    if (!connected) return
    let current = true
    let timer: ReturnType<typeof setTimeout> | undefined
    const look = async (): Promise<void> => {
      clearTimeout(timer)
      if (document.hidden) return
      try {
        const { nights } = await call('report.nights')
        const chosen = nights.find((one) => one.night === night) ?? nights[0]
        const report = chosen
          ? await call('report.get', { night: chosen.night, ...(queueId !== null && { queueId }) })
          : null
        if (!current) return
        setShown({ asked: { nights, report }, error: null })
        if (!report?.complete) timer = setTimeout(look, REFRESH_MS)
      } catch (error) {
        if (current) setShown(({ asked }) => ({ asked, error: toErrorInfo(error) }))
      }
    }
    void look()
    document.addEventListener('visibilitychange', look)
    return () => {
      current = false
      clearTimeout(timer)
      document.removeEventListener('visibilitychange', look)
    }
  }, [connected, night, queueId, ready])
  return shown
}
