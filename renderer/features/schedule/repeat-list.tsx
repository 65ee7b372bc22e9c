/** Repeating downloads below the coming night: when each comes next, how it went last, and what can be done with it. */
import { useTranslation } from 'react-i18next'
import type { RepeatView } from '../../../shared/repeats.ts'
import { openDetails } from '../../actions.ts'
import { en } from '../../i18n/en.ts'
import { errorWords } from '../../i18n/error-words.ts'
import { addRepeat, askRemoveRepeat, editRepeat, pauseRepeat, runRepeat, skipRepeat } from '../../queue-actions.ts'
import { useRepeats } from '../../stores/repeats.ts'
import { openPage } from '../../stores/window.ts'
import { Icon, type IconName } from '../../ui/icon.tsx'
import { useNow } from '../../ui/use-now.ts'
import { fileOf } from './night.ts'
import { clockText } from './queue-words.ts'

export function RepeatList() {
  const { t } = useTranslation()
  const repeats = useRepeats((state) => state.repeats)
  if (repeats === null) return null
  return (
    <section className="page-section" aria-labelledby="night-repeats">
      <header className="repeats-head">
        <h3 id="night-repeats">{t('repeats.section')}</h3>
        <button type="button" className="button button-small" onClick={() => addRepeat()}>
          <Icon name="add" />
          {t('repeats.add')}
        </button>
      </header>
      {repeats.length === 0 ? (
        <p className="faint">{t('repeats.none')}</p>
      ) : (
        <ul className="repeats">
          {repeats.map((repeat) => (
            <Repeat key={repeat.id} repeat={repeat} />
          ))}
        </ul>
      )}
    </section>
  )
}

function Repeat({ repeat }: { repeat: RepeatView }) {
  const { t } = useTranslation()
  const now = useNow()
  const { id, url, paused, last, taskId, askedUntil } = repeat
  const name = fileOf(url)
  const error = last?.error && errorWords(last.error, en.errors)
  const show = (): void => {
    openPage('downloads')
    if (taskId !== null) openDetails(taskId)
  }
  return (
    <li className="repeat" data-paused={paused || undefined} data-failed={last?.result === 'failed' || undefined}>
      <div className="repeat-text">
        <span className="repeat-name" title={url}>
          {name}
        </span>
        <span className="repeat-when">
          {[
            repeat.timeZone === null ? repeat.when : `${repeat.when} (${repeat.timeZone})`,
            paused
              ? t('repeats.paused')
              : repeat.nextAt === null
                ? null
                : t('repeats.next', { time: clockText(repeat.nextAt, now) }),
          ]
            .filter(Boolean)
            .join(' · ')}
        </span>
        <span className="repeat-last">
          {last === null
            ? t('repeats.never')
            : t('repeats.last', { time: clockText(last.at, now), result: t(`repeats.results.${last.result}`) })}
          {error && `: ${[error.title, error.next].filter(Boolean).join('. ')}`}
        </span>
        {askedUntil !== null && (
          <span className="repeat-asks">{t('repeats.asks', { time: clockText(askedUntil, now) })}</span>
        )}
      </div>
      <div className="repeat-actions">
        {taskId !== null && <Action icon="all" label={t('repeats.show', { name })} onClick={show} />}
        {askedUntil !== null && (
          <Action icon="close" label={t('repeats.skip', { name })} onClick={() => skipRepeat(id)} />
        )}
        <Action icon="force" label={t('repeats.run', { name })} onClick={() => runRepeat(id)} />
        <Action
          icon={paused ? 'resume' : 'pause'}
          label={t(paused ? 'repeats.resume' : 'repeats.pause', { name })}
          onClick={() => pauseRepeat(id, !paused)}
        />
        <Action icon="settings" label={t('repeats.edit', { name })} onClick={() => editRepeat(id)} />
        <Action icon="remove" label={t('repeats.remove', { name })} onClick={() => askRemoveRepeat(id, name)} />
      </div>
    </li>
  )
}

function Action({ icon, label, onClick }: { icon: IconName; label: string; onClick: () => void }) {
  return (
    <button type="button" className="icon-button" aria-label={label} title={label} onClick={onClick}>
      <Icon name={icon} />
    </button>
  )
}
