/** What a key means in the list. Pure; task-grid.tsx acts. */
import type { SelectHow } from '../../stores/task-list.ts'

export type ListCommand =
  | { kind: 'move'; to: number; how: SelectHow }
  | { kind: 'reorder'; place: 'first' | 'up' | 'down' | 'last' }
  | {
      kind: 'toggle' | 'selectAll' | 'selectNone' | 'undo' | 'details' | 'remove' | 'pause' | 'goOn' | 'force' | 'edit'
    }

export interface ListKey {
  key: string
  ctrl: boolean
  shift: boolean
  alt: boolean
}

/** With Alt, rows move instead of the keyboard. */
const PLACES: Readonly<Record<string, 'first' | 'up' | 'down' | 'last'>> = {
  Home: 'first',
  ArrowUp: 'up',
  ArrowDown: 'down',
  End: 'last',
}

/** `at`: index of the focused row, -1: none yet; `page`: rows in view. null: not a key of the list. */
export function listCommand(pressed: ListKey, at: number, total: number, page: number): ListCommand | null {
  const { ctrl, shift } = pressed
  if (pressed.alt) {
    const place = ctrl || shift ? undefined : PLACES[pressed.key]
    return place === undefined ? null : { kind: 'reorder', place }
  }
  const how: SelectHow = shift ? 'range' : ctrl ? 'focus' : 'only'
  const move = (to: number): ListCommand | null =>
    total === 0 ? null : { kind: 'move', to: Math.max(0, Math.min(total - 1, to)), how }
  switch (pressed.key) {
    case 'ArrowDown':
      return move(at + 1)
    case 'ArrowUp':
      return move(at < 0 ? total - 1 : at - 1)
    case 'Home':
      return move(0)
    case 'End':
      return move(total - 1)
    case 'PageDown':
      return move(Math.max(0, at) + page)
    case 'PageUp':
      return move(Math.max(0, at) - page)
    case ' ':
      return at < 0 ? null : { kind: 'toggle' }
    case 'Enter':
      return ctrl || shift ? null : { kind: 'details' }
    case 'Escape':
      return { kind: 'selectNone' }
    case 'Delete':
      return { kind: 'remove' }
  }
  const letter = pressed.key.toLowerCase()
  if (ctrl && shift) return null
  if (ctrl) return letter === 'a' ? { kind: 'selectAll' } : letter === 'z' ? { kind: 'undo' } : null
  if (shift) return null
  if (letter === 'p') return { kind: 'pause' }
  if (letter === 's') return { kind: 'force' }
  if (letter === 'e') return { kind: 'edit' }
  return letter === 'r' ? { kind: 'goOn' } : null
}
