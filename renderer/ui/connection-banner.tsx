/** Says calmly that the engine is away, and why where that is known. */
import { useTranslation } from 'react-i18next'
import { reconnectNow, useConnection } from '../session.ts'

export function ConnectionBanner() {
  const { t } = useTranslation()
  const { status, wasAway } = useConnection()
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
      {status.kind === 'connecting' && t('connection.connecting')}
      {status.kind === 'open' && wasAway && t('connection.back')}
    </div>
  )
}
