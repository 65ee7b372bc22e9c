/** The graph: uPlot on a canvas, redrawn once a second (every five with reduced motion), never while hidden. */
import { useEffect, useRef } from 'react'
import { useTranslation } from 'react-i18next'
import uPlot from 'uplot'
import 'uplot/dist/uPlot.min.css'
import type { ThroughputSample } from '../../../shared/schemas.ts'
import { useThroughput, WINDOW_MS } from '../../stores/throughput.ts'
import { keepCurrent, rateGraph, toColumns } from './chart.ts'

const CALM_REDRAW_MS = 5000
const NARROW_WIDTH = 480
const MINUTE_SECONDS = 60

export function ThroughputChart(props: { label: string; onPoint: (sample: ThroughputSample | null) => void }) {
  const { t } = useTranslation()
  const holder = useRef<HTMLDivElement>(null)
  const { onPoint } = props
  useEffect(() => {
    const element = holder.current
    if (element === null) return
    const minutes = (seconds: number) => t('throughput.minutesAgo', { count: Math.round(seconds / MINUTE_SECONDS) })
    const plot = new uPlot(
      rateGraph(element, {
        scale: { range: (_, __, max) => [(max ?? 0) - WINDOW_MS / 1000, max ?? 0] },
        axis: {
          // Counted back from now, so that the marks stand still while the line moves.
          splits: ({ width }, __, ___, max) =>
            (width < NARROW_WIDTH ? [4, 2] : [4, 3, 2, 1]).map((count) => max - count * MINUTE_SECONDS),
          // Before the first sample there is no now; the end of the scale stands for it.
          values: ({ scales }, splits) => splits.map((at) => minutes((scales.x?.max ?? 0) - at)),
        },
        onPoint: (index) => onPoint(index === null ? null : (useThroughput.getState().samples[index] ?? null)),
      }),
      toColumns(useThroughput.getState().samples),
      element,
    )

    const reduced = matchMedia('(prefers-reduced-motion: reduce)')
    // What is known already is drawn at once, however young the page is.
    let drawnAt = Number.NEGATIVE_INFINITY
    const draw = (): void => {
      const now = performance.now()
      if (document.hidden || (reduced.matches && now - drawnAt < CALM_REDRAW_MS)) return
      drawnAt = now
      plot.setData(toColumns(useThroughput.getState().samples))
    }
    const unsubscribe = useThroughput.subscribe(draw)
    document.addEventListener('visibilitychange', draw)
    const end = keepCurrent(plot, element)
    return () => {
      unsubscribe()
      document.removeEventListener('visibilitychange', draw)
      end()
    }
  }, [onPoint, t])
  return <div ref={holder} className="chart" role="img" aria-label={props.label} />
}
