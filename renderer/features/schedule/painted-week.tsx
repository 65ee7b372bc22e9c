/** The week of a text of windows: painting writes the text. While it cannot be read, the week keeps what it last said. */
import { useId, useState } from 'react'
import { useTranslation } from 'react-i18next'
import { paintedText, readWindows } from './queue-form.ts'
import { WeekGrid } from './week-grid.tsx'

export function PaintedWeek(props: { label: string; text: string; onPaint: (text: string) => void }) {
  const { t } = useTranslation()
  const hintId = useId()
  const read = readWindows(props.text)
  const isEmpty = props.text.trim() === ''
  const [last, setLast] = useState(props.text)
  if (props.text !== last && ('week' in read || isEmpty)) setLast(props.text)
  const shown = 'week' in read || isEmpty ? read : readWindows(last)
  return (
    <>
      <WeekGrid
        label={props.label}
        describedBy={hintId}
        week={'week' in shown ? shown.week : []}
        onPaint={(week) => props.onPaint(paintedText(week))}
      />
      <p id={hintId} className="field-hint">
        {t('queue.weekHint')}
      </p>
    </>
  )
}
