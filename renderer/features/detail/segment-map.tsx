/** A bar of the whole file: what is written, what is in transfer, what is missing. */
import { useTranslation } from 'react-i18next'
import { formatPercent } from '../../../shared/format.ts'
import type { ByteRange, SegmentView, TaskDetail } from '../../../shared/schemas.ts'

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

/** The least that can be seen of a bad block in a large file. */
const LEAST_MARK = 4

/** Where blocks that differ lie in a drawing `WIDTH` wide, each wide enough to be seen. Pure. */
export function badMarks(ranges: readonly ByteRange[], sizeBytes: number): { start: number; width: number }[] {
  return ranges.map((range) => {
    const width = Math.max(LEAST_MARK, ((range.end - range.start) / sizeBytes) * WIDTH)
    return { start: Math.min((range.start / sizeBytes) * WIDTH, WIDTH - width), width }
  })
}

export function SegmentMap({ detail }: { detail: TaskDetail }) {
  const { t } = useTranslation()
  if (detail.sizeBytes === null || detail.sizeBytes === 0) return null
  const done = detail.state === 'done'
  const shapes = done
    ? [{ start: 0, written: WIDTH, end: WIDTH, active: false }]
    : segmentShapes(detail.segments, detail.sizeBytes)
  const { verification } = detail
  // What is being repaired is missing, and shown so.
  const bad = verification && !verification.repairing ? badMarks(verification.badRanges, detail.sizeBytes) : []
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
        {bad.map((mark) => (
          <rect key={mark.start} className="segment-bad" x={mark.start} width={mark.width} height="10" />
        ))}
      </svg>
      <figcaption className="segments-legend" aria-hidden="true">
        <span className="legend-written">{t('detail.legendWritten')}</span>
        {shapes.some((shape) => shape.active) && <span className="legend-active">{t('detail.legendActive')}</span>}
        {bad.length > 0 && <span className="legend-bad">{t('verify.legend')}</span>}
        {!done && <span className="legend-missing">{t('detail.legendMissing')}</span>}
      </figcaption>
    </figure>
  )
}
