/** Says calmly that the engine is away, and why where that is known. */
import { useTranslation } from 'react-i18next'
import { reconnectNow, useConnection } from '../session.ts'

export function ConnectionBanner() {
  const { t } = useTranslation()
  const { status, wasOpen } = useConnection()
  const away = status.kind === 'away'
  return (
    <div role="status" className={away ? 'banner' : 'visually-hidden'}>
      {away && (
        <>
          <span className="banner-text">{t(`connection.${status.reason}`)}</span>
          <button type="button" className="button button-small" onClick={reconnectNow}>
            {t('connection.retry')}
          </button>
        </>
      )}
      {!away && !wasOpen && t('connection.connecting')}
    </div>
  )
}
