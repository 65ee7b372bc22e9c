/** Throughput over a minute, an hour, a night or a week. */
import { useEffect, useRef, useState } from 'react'
import { useTranslation } from 'react-i18next'
import uPlot from 'uplot'
import { formatRate } from '../../../shared/format.ts'
import type { ThroughputSample } from '../../../shared/schemas.ts'
import { texts } from '../../i18n/index.ts'
import { averageRate, SPANS, type Span, timeMarks, useStatistics } from '../../stores/statistics.ts'
import { peakOf } from '../../stores/throughput.ts'
import { Choice } from '../../ui/choice.tsx'
import { keepCurrent, rateGraph, toColumns } from './chart.ts'
import { type Rates, useRates } from './use-stats.ts'

const MARK_PIXELS = 84
const MINUTE_MS = 60_000
const DAY_MS = 86_400_000

export function HistorySection() {
  const { t } = useTranslation()
  const span = useStatistics((state) => state.span)
  const rates = useRates(span)
  const [pointed, setPointed] = useState<ThroughputSample | null>(null)
  const samples = rates?.samples ?? []
  const figures = { average: formatRate(averageRate(samples)), peak: formatRate(peakOf(samples)) }
  return (
    <section className="stats-section" aria-labelledby="stats-throughput">
      <header className="stats-section-head">
        <h3 id="stats-throughput">{t('stats.throughput')}</h3>
        <p className="stats-aside number">
          {pointed && rates
            ? t('stats.rateAt', {
                rate: formatRate(pointed.bytesPerSecond),
                time: timeText(pointed.at, SPANS[rates.span].stepMs ?? 1000, rates),
              })
            : rates && t('stats.rates', figures)}
        </p>
        <Choice
          label={t('stats.span')}
          options={(Object.keys(SPANS) as Span[]).map((key) => ({ key, label: t(`stats.spans.${key}`) }))}
          value={span}
          onChange={(chosen) => useStatistics.setState({ span: chosen })}
        />
      </header>
      <HistoryChart
        rates={rates}
        label={t('stats.chart', { ...figures, span: t(`stats.spanText.${span}`) })}
        onPoint={setPointed}
      />
    </section>
  )
}

function HistoryChart(props: {
  rates: Rates | null
  label: string
  onPoint: (sample: ThroughputSample | null) => void
}) {
  const holder = useRef<HTMLDivElement>(null)
  const plot = useRef<uPlot>(null)
  const shown = useRef(props.rates)
  const { onPoint, rates } = props
  useEffect(() => {
    const element = holder.current
    if (element === null) return
    const range = () => shown.current ?? { from: 0, to: 1000 }
    const opened = new uPlot(
      rateGraph(element, {
        scale: { range: () => [range().from / 1000, range().to / 1000] },
        axis: {
          splits: ({ width }) =>
            timeMarks(range().from, range().to, Math.max(2, width / MARK_PIXELS)).marks.map((at) => at / 1000),
          values: ({ width }, splits) => {
            const { stepMs } = timeMarks(range().from, range().to, Math.max(2, width / MARK_PIXELS))
            return splits.map((at) => timeText(at * 1000, stepMs, range()))
          },
        },
        onPoint: (index) => onPoint(index === null ? null : (shown.current?.samples[index] ?? null)),
      }),
      [[], []],
      element,
    )
    plot.current = opened
    return keepCurrent(opened, element)
  }, [onPoint])
  useEffect(() => {
    shown.current = rates
    plot.current?.setData(toColumns(rates?.samples ?? []))
  }, [rates])
  return <div ref={holder} className="chart stats-chart" role="img" aria-label={props.label} />
}

/** As much of the time as the marks need to be told apart. */
function timeText(at: number, stepMs: number, { from, to }: { from: number; to: number }): string {
  const date = new Date(at)
  if (stepMs < MINUTE_MS) return date.toLocaleTimeString(texts.language, { timeStyle: 'medium' })
  if (stepMs >= DAY_MS) return date.toLocaleDateString(texts.language, { weekday: 'short', day: 'numeric' })
  const time = date.toLocaleTimeString(texts.language, { timeStyle: 'short' })
  return to - from > DAY_MS ? `${date.toLocaleDateString(texts.language, { weekday: 'short' })} ${time}` : time
}
