/** Whether the file is still what came: the comparison with its checksums, how far it is, what it found, and the repair. */
import { useTranslation } from 'react-i18next'
import { formatBytes, formatPercent } from '../../../shared/format.ts'
import type { TaskDetail } from '../../../shared/schemas.ts'
import type { VerifyProgress } from '../../../shared/verification.ts'
import { repair, stopVerifying, verify } from '../../actions.ts'
import { texts } from '../../i18n/index.ts'
import { taskList } from '../../session.ts'
import { canRepair, canVerify, foundWords } from './verification-words.ts'
import './verification.css'

export function FileCheck({ detail }: { detail: TaskDetail }) {
  const { t } = useTranslation()
  const { id, verification: found } = detail
  // Rows tell progress more often than details are fetched.
  const row = taskList.store((state) => state.view.rows.get(id))
  const verifying = row ? row.verifying : detail.verifying
  if (verifying) return <Running detail={detail} progress={verifying} />
  const now = { ...detail, verifying }
  if (!found && !canVerify(now)) return null
  const repairing = found?.repairing === true && detail.state !== 'done'
  const words = repairing ? null : found && foundWords(found)
  return (
    <div className="file-check" data-tone={words?.tone ?? 'quiet'}>
      <div className="file-check-words" role="status">
        <p className="file-check-title">{repairing ? t('verify.repairing') : (words?.title ?? t('verify.none'))}</p>
        {words?.more.map((fact) => (
          <p key={fact}>{fact}</p>
        ))}
        {found && !repairing && <p className="file-check-at">{t('verify.at', { date: dateText(found.at) })}</p>}
      </div>
      {canVerify(now) && (
        <div className="file-check-actions">
          {found?.verdict === 'damaged' && !repairing && canRepair(now) && (
            <button type="button" className="button button-small button-primary" onClick={() => repair(id)}>
              {t('verify.repair')}
            </button>
          )}
          <button type="button" className="button button-small" onClick={() => verify(id)}>
            {t(found ? 'verify.again' : 'verify.verify')}
          </button>
        </div>
      )}
    </div>
  )
}

function Running({ detail, progress }: { detail: TaskDetail; progress: VerifyProgress }) {
  const { t } = useTranslation()
  const { checkedBytes, totalBytes } = progress
  const share = totalBytes === 0 ? 0 : checkedBytes / totalBytes
  return (
    <div className="file-check" data-tone="quiet">
      <div className="file-check-words">
        <p className="file-check-title">
          {checkedBytes === 0
            ? t('verify.starting')
            : t('verify.running', { done: formatBytes(checkedBytes), total: formatBytes(totalBytes) })}
        </p>
        <progress
          className="file-check-progress"
          aria-label={t('verify.progress', { percent: formatPercent(share) })}
          max={1}
          value={share}
        />
      </div>
      {detail.state !== 'finishing' && (
        <div className="file-check-actions">
          <button type="button" className="button button-small" onClick={() => stopVerifying(detail.id)}>
            {t('verify.stop')}
          </button>
        </div>
      )}
    </div>
  )
}

function dateText(at: number): string {
  return new Date(at).toLocaleString(texts.language, { dateStyle: 'medium', timeStyle: 'short' })
}
