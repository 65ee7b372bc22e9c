/** The night's throughput; times in which nothing came though something wanted bytes are shaded. */
import { useEffect, useRef, useState } from 'react'
import { useTranslation } from 'react-i18next'
import uPlot from 'uplot'
import 'uplot/dist/uPlot.min.css'
import { formatRate } from '../../../shared/format.ts'
import type { Graph, NightReport } from '../../../shared/report.ts'
import type { ThroughputSample } from '../../../shared/schemas.ts'
import { timeMarks } from '../../stores/statistics.ts'
import { peakOf } from '../../stores/throughput.ts'
import { clockText } from '../schedule/queue-words.ts'
import { keepCurrent, rateGraph, toColumns } from '../stats/chart.ts'
import { graphRange, graphSamples } from './graph-samples.ts'

const MARK_PIXELS = 84

export function NightGraph({ report, graph }: { report: NightReport; graph: Graph }) {
  const { t } = useTranslation()
  const holder = useRef<HTMLDivElement>(null)
  const [pointed, setPointed] = useState<ThroughputSample | null>(null)
  useEffect(() => {
    const element = holder.current
    if (element === null) return
    const range = graphRange(report, graph)
    const samples = graphSamples(graph, range)
    const options = rateGraph(element, {
      scale: { range: () => [range.from / 1000, range.to / 1000] },
      axis: {
        splits: ({ width }) =>
          timeMarks(range.from, range.to, Math.max(2, width / MARK_PIXELS)).marks.map((at) => at / 1000),
        values: (_, splits) => splits.map((at) => clockText(at * 1000, at * 1000)),
      },
      onPoint: (index) => setPointed(index === null ? null : (samples[index] ?? null)),
    })
    const shade = (plot: uPlot): void => {
      const { left, top, width, height } = plot.bbox
      plot.ctx.save()
      plot.ctx.beginPath()
      plot.ctx.rect(left, top, width, height)
      plot.ctx.clip()
      plot.ctx.fillStyle = getComputedStyle(element).getPropertyValue('--quiet')
      for (const { from, to } of report.quiet) {
        const begin = plot.valToPos(from / 1000, 'x', true)
        plot.ctx.fillRect(begin, top, Math.max(1, plot.valToPos(to / 1000, 'x', true) - begin), height)
      }
      plot.ctx.restore()
    }
    const plot = new uPlot({ ...options, hooks: { ...options.hooks, drawClear: [shade] } }, toColumns(samples), element)
    return keepCurrent(plot, element)
  }, [report, graph])
  const peak = formatRate(peakOf(graphSamples(graph, graphRange(report, graph))))
  return (
    <figure className="report-graph">
      <figcaption className="number">
        {pointed
          ? t('stats.rateAt', { rate: formatRate(pointed.bytesPerSecond), time: clockText(pointed.at, pointed.at) })
          : t(report.quiet.length > 0 ? 'report.graphQuiet' : 'report.graph', { peak })}
      </figcaption>
      <div
        ref={holder}
        className="chart stats-chart"
        role="img"
        aria-label={t('report.graphText', { peak, count: report.quiet.length })}
      />
    </figure>
  )
}
