/** What is about to happen to the machine, and the button that calls it off. */
import { useTranslation } from 'react-i18next'
import { tellError } from '../actions.ts'
import { call } from '../session.ts'
import { useCountdown } from '../stores/countdown.ts'
import { useNow } from './use-now.ts'

export function CountdownBanner() {
  const countdown = useCountdown((state) => state.countdown)
  return countdown && <Counting {...countdown} />
}

function Counting({ action, queue, endsAt }: NonNullable<ReturnType<typeof useCountdown.getState>['countdown']>) {
  const { t } = useTranslation()
  const seconds = Math.max(0, Math.ceil((endsAt - useNow()) / 1000))
  const cancel = (): void => void call('countdown.cancel').catch(tellError)
  return (
    <div role="alert" className="banner">
      <span className="banner-text">
        {queue === null ? t('countdown.allDone') : t('countdown.queueDone', { queue })}{' '}
        <span aria-live="off">{t(`countdown.${action}`, { seconds })}</span>
      </span>
      <button type="button" className="button button-small" onClick={cancel}>
        {t('countdown.cancel')}
      </button>
    </div>
  )
}
