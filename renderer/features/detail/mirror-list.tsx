/** The URLs that a download's file can be had from, each with what became of it. */
import { useTranslation } from 'react-i18next'
import { formatBytes } from '../../../shared/format.ts'
import type { MirrorView } from '../../../shared/schemas.ts'
import { en } from '../../i18n/en.ts'
import { errorWords } from '../../i18n/error-words.ts'

export function MirrorList({ mirrors }: { mirrors: readonly MirrorView[] }) {
  const { t } = useTranslation()
  return (
    <ul className="reasons">
      {mirrors.map(({ url, state, error, bytes, location }) => (
        <li key={url} data-mirror={state}>
          <span className="mono selectable">{url}</span>{' '}
          <span>
            {[
              t(`detail.mirror.${state}`),
              error && errorWords(error, en.errors).title,
              bytes > 0 && formatBytes(bytes),
              location?.toUpperCase(),
            ]
              .filter(Boolean)
              .join(', ')}
          </span>
        </li>
      ))}
    </ul>
  )
}
