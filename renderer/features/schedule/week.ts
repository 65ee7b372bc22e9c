/**
 * The week as one can paint it: spans of minutes since Monday 00:00, in which a queue may work. Pure. The text form
 * (shared/windows.ts) stays the truth; what is finer than half an hour survives the painting of other cells.
 */
import { DAY_MINUTES, type TimeWindow } from '../../../shared/windows.ts'

export const WEEK_MINUTES = 7 * DAY_MINUTES
export const CELL_MINUTES = 30
export const CELLS_A_DAY = DAY_MINUTES / CELL_MINUTES

/** [from, to) in minutes since Monday 00:00; ascending, apart from each other, 0 <= from < to <= WEEK_MINUTES. */
export interface WeekSpan {
  readonly from: number
  readonly to: number
}

/** One half hour of one day. */
export interface Cell {
  /** 0 is Monday */
  readonly day: number
  /** 0 to 47 */
  readonly half: number
}

export type CellState = 'open' | 'closed' | 'part'

/** Joins what overlaps or touches. */
function joined(spans: readonly WeekSpan[]): WeekSpan[] {
  const result: { from: number; to: number }[] = []
  for (const span of [...spans].sort((a, b) => a.from - b.from)) {
    const last = result.at(-1)
    if (last && span.from <= last.to) last.to = Math.max(last.to, span.to)
    else if (span.to > span.from) result.push({ ...span })
  }
  return result
}

export function weekOf(windows: readonly TimeWindow[]): WeekSpan[] {
  return joined(
    windows.flatMap(({ days, from, to }) =>
      days.flatMap((day) => {
        const begin = (day - 1) * DAY_MINUTES + from
        const end = (day - 1) * DAY_MINUTES + (to > from ? to : to + DAY_MINUTES)
        if (end <= WEEK_MINUTES) return [{ from: begin, to: end }]
        return [
          { from: begin, to: WEEK_MINUTES },
          { from: 0, to: end - WEEK_MINUTES },
        ]
      }),
    ),
  )
}

/** The fewest windows that mean the same; none: never open. */
export function windowsOf(week: readonly WeekSpan[]): TimeWindow[] {
  const spans = joined(week)
  const [first, last] = [spans[0], spans.at(-1)]
  if (first === undefined || last === undefined) return []
  // The week is a ring: what ends it on Sunday night goes on on Monday.
  if (spans.length > 1 && first.from === 0 && last.to === WEEK_MINUTES) {
    spans.shift()
    spans[spans.length - 1] = { from: last.from, to: last.to + first.to }
  }
  const days = new Map<string, { days: number[]; from: number; to: number }>()
  for (const span of spans) {
    for (const { day, from, to } of pieces(span)) {
      const key = `${from}-${to}`
      const known = days.get(key) ?? { days: [], from, to }
      known.days.push((day % 7) + 1)
      days.set(key, known)
    }
  }
  return [...days.values()].map((window) => ({ ...window, days: window.days.sort((a, b) => a - b) }))
}

/** A window reaches into the next day at most: longer spans become several, of whole days where they are. */
function pieces({ from, to }: WeekSpan): { day: number; from: number; to: number }[] {
  const day = Math.floor(from / DAY_MINUTES)
  const begin = from - day * DAY_MINUTES
  const end = to - day * DAY_MINUTES
  if (end <= DAY_MINUTES) return [{ day, from: begin, to: end }]
  if (end - begin < DAY_MINUTES) return [{ day, from: begin, to: end - DAY_MINUTES }]
  return [{ day, from: begin, to: DAY_MINUTES }, ...pieces({ from: (day + 1) * DAY_MINUTES, to })]
}

export function cellState(week: readonly WeekSpan[], { day, half }: Cell): CellState {
  const from = day * DAY_MINUTES + half * CELL_MINUTES
  const to = from + CELL_MINUTES
  const minutes = week.reduce((sum, span) => sum + Math.max(0, Math.min(to, span.to) - Math.max(from, span.from)), 0)
  return minutes === 0 ? 'closed' : minutes === CELL_MINUTES ? 'open' : 'part'
}

/** The rectangle between two cells, both included, opened or closed. */
export function paint(week: readonly WeekSpan[], one: Cell, other: Cell, open: boolean): WeekSpan[] {
  let spans = [...week]
  for (let day = Math.min(one.day, other.day); day <= Math.max(one.day, other.day); day++) {
    const from = day * DAY_MINUTES + Math.min(one.half, other.half) * CELL_MINUTES
    const to = day * DAY_MINUTES + (Math.max(one.half, other.half) + 1) * CELL_MINUTES
    spans = spans.flatMap((span) => [
      { from: span.from, to: Math.min(span.to, from) },
      { from: Math.max(span.from, to), to: span.to },
    ])
    if (open) spans.push({ from, to })
  }
  return joined(spans.filter((span) => span.to > span.from))
}

/** Whether a cell lies in the rectangle between two others. */
export function isBetween(cell: Cell, one: Cell, other: Cell): boolean {
  const within = (value: number, a: number, b: number) => value >= Math.min(a, b) && value <= Math.max(a, b)
  return within(cell.day, one.day, other.day) && within(cell.half, one.half, other.half)
}

/** Hours open in a week. */
export function openHours(week: readonly WeekSpan[]): number {
  return week.reduce((sum, { from, to }) => sum + to - from, 0) / 60
}
