/** Everything about one download, below the list. */
import type { ReactNode } from 'react'
import { useTranslation } from 'react-i18next'
import { formatBytes, formatPercent } from '../../../shared/format.ts'
import type { TaskDetail, TaskId } from '../../../shared/schemas.ts'
import { isUnfinished } from '../../../shared/task-state.ts'
import { strategySentence } from '../../../shared/task-strategy.en.ts'
import { copyLink, decide, openFile, retry, showInFolder } from '../../actions.ts'
import { en } from '../../i18n/en.ts'
import { errorWords } from '../../i18n/error-words.ts'
import { texts } from '../../i18n/index.ts'
import { useQueues } from '../../stores/queues.ts'
import { useWindow } from '../../stores/window.ts'
import { focusList } from '../../ui/focus-list.ts'
import { Icon } from '../../ui/icon.tsx'
import { LimitField, QueueField, StartControl } from './detail-controls.tsx'
import { MirrorList } from './mirror-list.tsx'
import { SegmentMap } from './segment-map.tsx'
import { useTaskDetail } from './use-task-detail.ts'
import { FileCheck } from './verification.tsx'
import { isKnownBad, stateKey } from './verification-words.ts'
import { VerifiedBy } from './verified-by.tsx'
import './detail.css'

function close(): void {
  useWindow.setState({ details: null })
  focusList()
}

/** What was pressed may vanish with the state that it changes. */
function act(action: () => void): void {
  action()
  focusList()
}

export function DetailPanel({ id }: { id: TaskId }) {
  const { t } = useTranslation()
  const { detail, error } = useTaskDetail(id)
  const shell = window.nighthaul
  const gone = error?.code === 'task_not_found' ? errorWords(error, en.errors) : null
  if (detail === null && error === null) return <section className="detail" aria-busy="true" />
  return (
    <section
      className="detail"
      aria-label={detail ? t('detail.label', { name: detail.filename }) : (gone?.title ?? t('detail.loadFailed'))}
      onKeyDown={(event) => {
        if (event.key === 'Escape') close()
      }}
    >
      <header className="detail-header">
        <h2 className="detail-title">{detail?.filename ?? gone?.title ?? t('detail.loadFailed')}</h2>
        {detail && (
          <span className="detail-state" data-bad={isKnownBad(detail) || undefined}>
            {t(stateKey(detail))}
          </span>
        )}
        {detail && shell && detail.state === 'done' && (
          <button type="button" className="button button-small" onClick={() => openFile(id)}>
            {t('menu.open')}
          </button>
        )}
        {detail && shell && (
          <button type="button" className="button button-small" onClick={() => showInFolder(id)}>
            {t('menu.show')}
          </button>
        )}
        <button type="button" className="icon-button" aria-label={t('detail.close')} onClick={close}>
          <Icon name="close" />
        </button>
      </header>
      <div className="detail-body">
        {detail === null ? (
          <p className="detail-message">{gone?.next ?? error?.message}</p>
        ) : (
          <>
            <Problem detail={detail} />
            <SegmentMap detail={detail} />
            <FileCheck detail={detail} />
            <Facts detail={detail} />
          </>
        )}
      </div>
    </section>
  )
}

function Problem({ detail }: { detail: TaskDetail }) {
  const { t } = useTranslation()
  const { error, state, id } = detail
  if (error === null && state !== 'changed') return null
  const words = error && errorWords(error, en.errors)
  return (
    <div className="problem" data-state={state}>
      {words && <p className="problem-title">{words.title}</p>}
      {error && error.message !== words?.title && <p className="problem-message">{error.message}</p>}
      {state === 'changed' && (
        <>
          <p className="problem-message">{t('detail.decideBody', { bytes: formatBytes(detail.writtenBytes) })}</p>
          <div className="problem-actions">
            <button type="button" className="button button-primary" onClick={() => act(() => decide(id, 'restart'))}>
              {t('detail.decideNew')}
            </button>
            <button type="button" className="button" onClick={() => act(() => decide(id, 'keep'))}>
              {t('detail.decideKeep')}
            </button>
          </div>
        </>
      )}
      {(state === 'failed' || state === 'waiting') && (
        <div className="problem-actions">
          <button type="button" className="button" onClick={() => act(() => retry(id))}>
            {t(state === 'failed' ? 'toolbar.retry' : 'detail.retryNow')}
          </button>
        </div>
      )}
    </div>
  )
}

function Facts({ detail }: { detail: TaskDetail }) {
  const { t } = useTranslation()
  // One queue alone is no choice.
  const queues = useQueues((state) => (state.queues !== null && state.queues.length > 1 ? state.queues : null))
  return (
    <dl className="facts">
      <Fact name={t('detail.link')} wide>
        <Mono text={detail.url} />
        <button
          type="button"
          className="icon-button"
          aria-label={t('menu.copyLink')}
          onClick={() => void copyLink(detail.url)}
        >
          <Icon name="copy" />
        </button>
      </Fact>
      {detail.finalUrl !== null && detail.finalUrl !== detail.url && (
        <Fact name={t('detail.finalLink')} wide>
          <Mono text={detail.finalUrl} />
        </Fact>
      )}
      {detail.mirrors.length > 0 && (
        <Fact name={t('detail.mirrors')} wide>
          <MirrorList mirrors={detail.mirrors} />
        </Fact>
      )}
      {detail.path !== null && (
        <Fact name={t('detail.file')} wide>
          <Mono text={detail.path} />
        </Fact>
      )}
      {detail.partPath !== null && (
        <Fact name={t('detail.partial')} wide>
          <Mono text={detail.partPath} />
        </Fact>
      )}
      <Fact name={t('detail.size')}>{sizeText(detail)}</Fact>
      <Fact name={t('detail.connections')}>
        {t('detail.connectionsValue', { open: detail.connections, most: detail.connectionsUsed })}
      </Fact>
      {isUnfinished(detail.state) && (
        <Fact name={t('detail.limit')}>
          <LimitField detail={detail} />
        </Fact>
      )}
      {isUnfinished(detail.state) && queues !== null && (
        <Fact name={t('detail.queue')}>
          <QueueField detail={detail} queues={queues} />
        </Fact>
      )}
      {isUnfinished(detail.state) && (
        <Fact name={t('start.label')}>
          <StartControl detail={detail} />
        </Fact>
      )}
      {detail.strategy.length > 0 && (
        <Fact name={t('detail.strategy')} wide>
          <ul className="reasons">
            {detail.strategy.map((reason) => (
              <li key={reason.code}>{strategySentence(reason, en.strategy)}</li>
            ))}
          </ul>
        </Fact>
      )}
      <Fact name={t('detail.resumable')}>
        {detail.resumable === null
          ? t('detail.resumableUnknown')
          : detail.resumable
            ? t('detail.resumableYes')
            : t('detail.resumableNo')}
      </Fact>
      {detail.attempts > 0 && <Fact name={t('detail.attempts')}>{detail.attempts}</Fact>}
      {detail.resumedFromBytes > 0 && (
        <Fact name={t('detail.resumedFrom')}>{formatBytes(detail.resumedFromBytes)}</Fact>
      )}
      <Fact name={t('detail.added')}>{dateText(detail.createdAt)}</Fact>
      {detail.finishedAt !== null && (
        <Fact name={t('detail.finished')}>
          {dateText(detail.finishedAt)}
          {detail.durable && `, ${t('detail.safe')}`}
        </Fact>
      )}
      {detail.finalUrl !== null && (
        <Fact name={t('detail.validator')} wide>
          {detail.etag === null && detail.lastModified === null ? (
            t('detail.noValidator')
          ) : (
            <>
              {detail.etag !== null && <Mono text={detail.etag} />}
              {detail.lastModified !== null && <span>{t('detail.lastModified', { date: detail.lastModified })}</span>}
            </>
          )}
        </Fact>
      )}
      <Fact name={t('detail.checksum')} wide>
        <VerifiedBy detail={detail} />
      </Fact>
    </dl>
  )
}

function Fact(props: { name: string; wide?: boolean; children: ReactNode }) {
  return (
    <div className={props.wide ? 'fact fact-wide' : 'fact'}>
      <dt>{props.name}</dt>
      <dd>{props.children}</dd>
    </div>
  )
}

function Mono({ text }: { text: string }) {
  return <span className="mono selectable">{text}</span>
}

function sizeText(detail: TaskDetail): string {
  if (detail.sizeBytes === null) return formatBytes(detail.writtenBytes)
  if (detail.state === 'done') return formatBytes(detail.sizeBytes)
  const share = detail.sizeBytes === 0 ? 0 : detail.writtenBytes / detail.sizeBytes
  return `${formatBytes(detail.writtenBytes)} / ${formatBytes(detail.sizeBytes)} (${formatPercent(share)})`
}

function dateText(at: number): string {
  return new Date(at).toLocaleString(texts.language, { dateStyle: 'medium', timeStyle: 'short' })
}
