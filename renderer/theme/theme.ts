/** Light, dark or the system's choice, set on the document; remembered so that the next start does not flash. */
import type { Settings } from '../../shared/schemas.ts'

const REMEMBERED = 'nighthaul.theme'

export function applyTheme(theme: Settings['theme']): void {
  if (theme === 'system') delete document.documentElement.dataset.theme
  else document.documentElement.dataset.theme = theme
  localStorage.setItem(REMEMBERED, theme)
}

/** Before the engine has told its settings. */
export function applyRememberedTheme(): void {
  const theme = localStorage.getItem(REMEMBERED)
  if (theme === 'light' || theme === 'dark') document.documentElement.dataset.theme = theme
}
