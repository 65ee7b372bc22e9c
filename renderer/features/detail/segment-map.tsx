/** A bar of the whole file: what is written, what is in transfer, what is missing. */
import { useTranslation } from 'react-i18next'
import { formatPercent } from '../../../shared/format.ts'
import type { SegmentView, TaskDetail } from '../../../shared/schemas.ts'

/** Width of the drawing in its own units. */
const WIDTH = 1000

/** Where segments lie in a drawing `WIDTH` wide. Pure. */
export function segmentShapes(
  segments: readonly SegmentView[],
  sizeBytes: number,
): { start: number; written: number; end: number; active: boolean }[] {
  const place = (bytes: number): number => (sizeBytes === 0 ? 0 : Math.min(1, bytes / sizeBytes) * WIDTH)
  return segments.map((segment) => ({
    start: place(segment.start),
    written: place(segment.start + segment.writtenBytes),
    end: place(segment.end ?? sizeBytes),
    active: segment.active,
  }))
}

export function SegmentMap({ detail }: { detail: TaskDetail }) {
  const { t } = useTranslation()
  if (detail.sizeBytes === null || detail.sizeBytes === 0) return null
  const done = detail.state === 'done'
  const shapes = done
    ? [{ start: 0, written: WIDTH, end: WIDTH, active: false }]
    : segmentShapes(detail.segments, detail.sizeBytes)
  const label = t('detail.segmentsText', {
    percent: formatPercent(done ? 1 : detail.writtenBytes / detail.sizeBytes),
    count: shapes.length,
    active: shapes.filter((shape) => shape.active).length,
  })
  return (
    <figure className="segments">
      <svg
        className="segments-map"
        viewBox={`0 0 ${WIDTH} 10`}
        preserveAspectRatio="none"
        role="img"
        aria-label={label}
      >
        {shapes.map((shape) => (
          <g key={shape.start}>
            {shape.active && (
              <rect className="segment-active" x={shape.written} width={shape.end - shape.written} height="10" />
            )}
            <rect className="segment-written" x={shape.start} width={shape.written - shape.start} height="10" />
            {shape.start > 0 && <rect className="segment-edge" x={shape.start} width="1" height="10" />}
          </g>
        ))}
      </svg>
      <figcaption className="segments-legend" aria-hidden="true">
        <span className="legend-written">{t('detail.legendWritten')}</span>
        {shapes.some((shape) => shape.active) && <span className="legend-active">{t('detail.legendActive')}</span>}
        {!done && <span className="legend-missing">{t('detail.legendMissing')}</span>}
      </figcaption>
    </figure>
  )
}
