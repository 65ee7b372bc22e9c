/**
 * The week as a grid one paints: seven days of half hours. By mouse a rectangle is drawn from where the button went down;
 * by keyboard the arrows move, Shift extends, Space paints what is marked. The first cell's state decides the colour.
 */
// biome-ignore-all lint/a11y/useSemanticElements: cells are laid out over the whole width, which a table's layout does not take
// biome-ignore-all lint/a11y/useFocusableInteractive: the grid keeps the focus and names the active cell (ARIA activedescendant)
import { type KeyboardEvent, memo, type PointerEvent, useId, useRef, useState } from 'react'
import { useTranslation } from 'react-i18next'
import { formatTime } from '../../../shared/windows.ts'
import { weekdayName } from './queue-words.ts'
import {
  CELL_MINUTES,
  CELLS_A_DAY,
  type Cell,
  type CellState,
  cellState,
  isBetween,
  paint,
  type WeekSpan,
} from './week.ts'

const DAYS = [0, 1, 2, 3, 4, 5, 6] as const
const HALVES = Array.from({ length: CELLS_A_DAY }, (_, half) => half)
const HOUR_MARKS = [0, 6, 12, 18, 24]

interface Stroke {
  from: Cell
  to: Cell
  /** what it paints */
  open: boolean
}

export function WeekGrid(props: {
  label: string
  describedBy: string
  week: readonly WeekSpan[]
  onPaint: (week: readonly WeekSpan[]) => void
}) {
  const { week, onPaint } = props
  const { t } = useTranslation()
  const id = useId()
  const [cursor, setCursor] = useState<Cell>({ day: 0, half: 0 })
  /** where the marked cells begin; the cursor ends them */
  const [anchor, setAnchor] = useState<Cell>(cursor)
  const [stroke, setStroke] = useState<Stroke | null>(null)
  const drawn = useRef<Stroke | null>(null)
  const names = DAYS.map((day) => weekdayName(day, 'long'))
  const shown = stroke ? paint(week, stroke.from, stroke.to, stroke.open) : week

  // What is drawn is known at once: the moves of a quick stroke are not rendered yet when it ends.
  const draw = (next: Stroke | null): void => {
    drawn.current = next
    setStroke(next)
  }
  const onPointerDown = (event: PointerEvent): void => {
    const cell = cellAt(event)
    if (cell === null || event.button !== 0 || !event.isPrimary) return
    event.currentTarget.setPointerCapture(event.pointerId)
    draw({ from: cell, to: cell, open: cellState(week, cell) !== 'open' })
    setCursor(cell)
    setAnchor(cell)
  }
  const onPointerMove = (event: PointerEvent): void => {
    const { current } = drawn
    const cell = current && event.isPrimary && nearestCell(event)
    if (!cell || (cell.day === current.to.day && cell.half === current.to.half)) return
    draw({ ...current, to: cell })
    setCursor(cell)
  }
  const onPointerUp = (event: PointerEvent): void => {
    const { current } = drawn
    if (current === null || !event.isPrimary) return
    const to = nearestCell(event) ?? current.to
    onPaint(paint(week, current.from, to, current.open))
    draw(null)
    setCursor(to)
    setAnchor(to)
  }

  const onKeyDown = (event: KeyboardEvent): void => {
    if (event.altKey) return
    const moved = movedTo(event, cursor)
    if (moved) {
      setCursor(moved)
      if (!event.shiftKey) setAnchor(moved)
    } else if (event.key === ' ') {
      onPaint(paint(week, anchor, cursor, cellState(week, anchor) !== 'open'))
    } else if (event.key.toLowerCase() === 'a' && (event.ctrlKey || event.metaKey)) {
      setAnchor({ day: 0, half: 0 })
      setCursor({ day: 6, half: CELLS_A_DAY - 1 })
    } else return
    event.preventDefault()
  }

  return (
    <div className="week">
      <div className="week-hours number" aria-hidden="true">
        {HOUR_MARKS.map((hour) => (
          <span key={hour} style={{ left: `${(hour / 24) * 100}%` }}>
            {formatTime(hour * 60)}
          </span>
        ))}
      </div>
      <div
        className="week-grid"
        role="grid"
        tabIndex={0}
        aria-label={props.label}
        aria-describedby={props.describedBy}
        aria-multiselectable="true"
        aria-activedescendant={`${id}-${cursor.day}-${cursor.half}`}
        aria-rowcount={DAYS.length}
        aria-colcount={CELLS_A_DAY + 1}
        onKeyDown={onKeyDown}
        onPointerDown={onPointerDown}
        onPointerMove={onPointerMove}
        onPointerUp={onPointerUp}
        onPointerCancel={() => draw(null)}
      >
        {DAYS.map((day) => (
          <div key={day} className="week-day" role="row" aria-rowindex={day + 1}>
            <span className="week-name" role="rowheader">
              {weekdayName(day, 'short')}
            </span>
            {HALVES.map((half) => {
              const cell = { day, half }
              const state = cellState(shown, cell)
              const isCursor = cursor.day === day && cursor.half === half
              return (
                <WeekCell
                  key={half}
                  id={`${id}-${day}-${half}`}
                  day={day}
                  half={half}
                  state={state}
                  isCursor={isCursor}
                  isMarked={isBetween(cell, anchor, cursor)}
                  label={t('queue.cell', {
                    day: names[day]!,
                    from: formatTime(half * CELL_MINUTES),
                    to: formatTime((half + 1) * CELL_MINUTES),
                    state: t(`queue.cellStates.${state}`),
                  })}
                />
              )
            })}
          </div>
        ))}
      </div>
    </div>
  )
}

const WeekCell = memo(function WeekCell(props: {
  id: string
  day: number
  half: number
  state: CellState
  isCursor: boolean
  isMarked: boolean
  label: string
}) {
  return (
    <span
      id={props.id}
      role="gridcell"
      className="week-cell"
      aria-colindex={props.half + 2}
      aria-selected={props.state !== 'closed'}
      aria-label={props.label}
      data-day={props.day}
      data-half={props.half}
      data-state={props.state}
      data-cursor={props.isCursor || undefined}
      data-marked={props.isMarked || undefined}
    />
  )
})

function cellAt(event: PointerEvent, x = event.clientX, y = event.clientY): Cell | null {
  const element = document.elementFromPoint(x, y)?.closest<HTMLElement>('[data-half]')
  return element && event.currentTarget.contains(element)
    ? { day: Number(element.dataset.day), half: Number(element.dataset.half) }
    : null
}

/** Of a stroke that runs over an edge of the week, the cell at that edge. */
function nearestCell(event: PointerEvent): Cell | null {
  const first = event.currentTarget.querySelector('[data-half]')!.getBoundingClientRect()
  const { right, bottom } = event.currentTarget.getBoundingClientRect()
  const within = (value: number, from: number, to: number) => Math.min(Math.max(value, from + 1), to - 1)
  return cellAt(event, within(event.clientX, first.left, right), within(event.clientY, first.top, bottom))
}

function movedTo({ key, ctrlKey }: KeyboardEvent, { day, half }: Cell): Cell | null {
  const last = CELLS_A_DAY - 1
  switch (key) {
    case 'ArrowLeft':
      return { day, half: ctrlKey ? 0 : Math.max(0, half - 1) }
    case 'ArrowRight':
      return { day, half: ctrlKey ? last : Math.min(last, half + 1) }
    case 'ArrowUp':
      return { day: Math.max(0, day - 1), half }
    case 'ArrowDown':
      return { day: Math.min(6, day + 1), half }
    case 'Home':
      return { day: ctrlKey ? 0 : day, half: 0 }
    case 'End':
      return { day: ctrlKey ? 6 : day, half: last }
    case 'PageUp':
      return { day, half: Math.max(0, half - 12) }
    case 'PageDown':
      return { day, half: Math.min(last, half + 12) }
  }
  return null
}
