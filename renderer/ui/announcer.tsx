/** Reads out what happened to downloads, politely. */
import { useTranslation } from 'react-i18next'
import { announcements } from '../session.ts'
import type { ToldState } from '../stores/announcements.ts'

const ORDER: readonly ToldState[] = ['changed', 'failed', 'done']

export function Announcer() {
  const { t } = useTranslation()
  const endings = announcements.store((state) => state.endings)
  const lines = ORDER.filter((state) => endings[state].length > 0).map((state) =>
    t(`announce.${state}`, { count: endings[state].length, name: endings[state][0] ?? '' }),
  )
  return (
    <output className="visually-hidden" aria-live="polite">
      {lines.join('. ')}
    </output>
  )
}
