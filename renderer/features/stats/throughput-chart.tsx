/** The graph: uPlot on a canvas, redrawn once a second (every five with reduced motion), never while hidden. */
import { useEffect, useRef } from 'react'
import { useTranslation } from 'react-i18next'
import uPlot from 'uplot'
import 'uplot/dist/uPlot.min.css'
import { formatRate } from '../../../shared/format.ts'
import type { ThroughputSample } from '../../../shared/schemas.ts'
import { useThroughput, WINDOW_MS } from '../../stores/throughput.ts'

const CALM_REDRAW_MS = 5000
const AXIS_WIDTH = 64
const LEAST_TOP = 100_000
const NARROW_WIDTH = 480
const MINUTE_SECONDS = 60

/** A round top for the axis, at least 100 kB/s so that silence is a flat line at the bottom. Pure. */
export function axisTop(peak: number): number {
  const least = Math.max(LEAST_TOP, peak * 1.05)
  const magnitude = 10 ** Math.floor(Math.log10(least))
  const step = [1, 1.5, 2, 3, 4, 5, 6, 8, 10].find((candidate) => candidate * magnitude >= least) ?? 10
  return step * magnitude
}

function toColumns(samples: readonly ThroughputSample[]): uPlot.AlignedData {
  return [samples.map(({ at }) => at / 1000), samples.map(({ bytesPerSecond }) => bytesPerSecond)]
}

export function ThroughputChart(props: { label: string; onPoint: (sample: ThroughputSample | null) => void }) {
  const { t } = useTranslation()
  const holder = useRef<HTMLDivElement>(null)
  const { onPoint } = props
  useEffect(() => {
    const element = holder.current
    if (element === null) return
    const colour = (name: string): string => getComputedStyle(element).getPropertyValue(name)
    const font = `11px ${getComputedStyle(element).fontFamily}`
    const minutes = (at: number): string => {
      const now = useThroughput.getState().samples.at(-1)?.at ?? 0
      return t('throughput.minutesAgo', { count: Math.round((now / 1000 - at) / MINUTE_SECONDS) })
    }
    const plot = new uPlot(
      {
        width: Math.max(1, element.clientWidth),
        height: Math.max(1, element.clientHeight),
        padding: [8, 0, 0, 0],
        legend: { show: false },
        cursor: { y: false, points: { size: 6 }, drag: { x: false, y: false } },
        scales: {
          x: {
            time: false,
            range: (_, __, max) => [(max ?? 0) - WINDOW_MS / 1000, max ?? 0],
          },
          y: { range: (_, __, max) => [0, axisTop(max ?? 0)] },
        },
        axes: [
          {
            stroke: () => colour('--text-faint'),
            font,
            size: 18,
            gap: 2,
            ticks: { show: false },
            grid: { show: false },
            // Counted back from now, so that the marks stand still while the line moves.
            splits: ({ width }, __, ___, max) =>
              (width < NARROW_WIDTH ? [4, 2] : [4, 3, 2, 1]).map((count) => max - count * MINUTE_SECONDS),
            values: (_, splits) => splits.map(minutes),
          },
          {
            side: 1,
            stroke: () => colour('--text-faint'),
            font,
            size: AXIS_WIDTH,
            gap: 6,
            ticks: { show: false },
            grid: { stroke: () => colour('--line'), width: 1 },
            splits: (_, __, ___, max) => [0, max / 2, max],
            values: (_, splits) => splits.map((value, index) => (index === 0 ? '' : formatRate(value))),
          },
        ],
        series: [
          {},
          {
            stroke: () => colour('--accent'),
            fill: () => colour('--accent-faint'),
            width: 1.5,
            points: { show: false },
          },
        ],
        hooks: {
          setCursor: [
            ({ cursor }) => {
              const samples = useThroughput.getState().samples
              onPoint(cursor.idx == null || (cursor.left ?? -1) < 0 ? null : (samples[cursor.idx] ?? null))
            },
          ],
        },
      },
      toColumns(useThroughput.getState().samples),
      element,
    )

    const reduced = matchMedia('(prefers-reduced-motion: reduce)')
    let drawnAt = 0
    const draw = (): void => {
      const now = performance.now()
      if (document.hidden || (reduced.matches && now - drawnAt < CALM_REDRAW_MS)) return
      drawnAt = now
      plot.setData(toColumns(useThroughput.getState().samples))
    }
    const unsubscribe = useThroughput.subscribe(draw)
    document.addEventListener('visibilitychange', draw)
    const resizing = new ResizeObserver(() =>
      plot.setSize({ width: Math.max(1, element.clientWidth), height: Math.max(1, element.clientHeight) }),
    )
    resizing.observe(element)
    // Colours are read when drawing: another theme means drawing again.
    const repaint = (): void => plot.redraw(false, true)
    const scheme = matchMedia('(prefers-color-scheme: dark)')
    scheme.addEventListener('change', repaint)
    const themed = new MutationObserver(repaint)
    themed.observe(document.documentElement, { attributeFilter: ['data-theme'] })
    return () => {
      unsubscribe()
      document.removeEventListener('visibilitychange', draw)
      resizing.disconnect()
      scheme.removeEventListener('change', repaint)
      themed.disconnect()
      plot.destroy()
    }
  }, [onPoint, t])
  return <div ref={holder} className="chart" role="img" aria-label={props.label} />
}
