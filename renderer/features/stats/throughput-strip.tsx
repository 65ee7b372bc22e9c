/** Total throughput at the foot of the window: now, peak, and the last minutes as a graph. */
import { useState } from 'react'
import { useTranslation } from 'react-i18next'
import { formatCount, formatRate } from '../../../shared/format.ts'
import type { ThroughputSample } from '../../../shared/schemas.ts'
import { texts } from '../../i18n/index.ts'
import { taskList } from '../../session.ts'
import { selectedCount } from '../../stores/selection.ts'
import { peakOf, useThroughput } from '../../stores/throughput.ts'
import { ThroughputChart } from './throughput-chart.tsx'
import './stats.css'

export function ThroughputStrip() {
  const { t } = useTranslation()
  const now = useThroughput((state) => formatRate(state.samples.at(-1)?.bytesPerSecond ?? 0))
  const peak = useThroughput((state) => formatRate(peakOf(state.samples)))
  const [pointed, setPointed] = useState<ThroughputSample | null>(null)
  return (
    <section className="strip" aria-label={t('throughput.label')}>
      <dl className="strip-figures">
        <div>
          <dt>{pointed ? t('throughput.at', { time: timeText(pointed.at) }) : t('throughput.now')}</dt>
          <dd className="strip-now number">{pointed ? formatRate(pointed.bytesPerSecond) : now}</dd>
        </div>
        <div>
          <dt>{t('throughput.peak')}</dt>
          <dd className="number">{peak}</dd>
        </div>
      </dl>
      <ThroughputChart label={t('throughput.text', { now, peak })} onPoint={setPointed} />
      <Counts />
    </section>
  )
}

function Counts() {
  const { t } = useTranslation()
  const total = taskList.store((state) => state.view.total ?? 0)
  const selected = taskList.store((state) => selectedCount(state.selection, state.view.total ?? 0))
  return (
    <p className="strip-counts number">
      <span>{t('list.total', { count: total, formatted: formatCount(total) })}</span>
      {selected > 1 && <span>{t('list.selected', { count: selected, formatted: formatCount(selected) })}</span>}
    </p>
  )
}

function timeText(at: number): string {
  return new Date(at).toLocaleTimeString(texts.language, { timeStyle: 'medium' })
}
