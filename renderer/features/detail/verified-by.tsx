/** What a download's file was verified by, or is going to be; and where there is nothing to verify it by. */
import { useTranslation } from 'react-i18next'
import { isStrong } from '../../../shared/integrity.ts'
import type { TaskDetail } from '../../../shared/schemas.ts'

export function VerifiedBy({ detail }: { detail: TaskDetail }) {
  const { t } = useTranslation()
  const { checksum, error, state } = detail
  const digest = checksum ?? detail.expected[0]
  const bad = detail.badFiles.map((path) => (
    <span key={path}>
      {t('detail.badFile')} <span className="mono selectable">{path}</span>
    </span>
  ))
  if (!digest) return t(state === 'done' ? 'detail.nothingToVerify' : 'detail.nothingToVerifyYet')
  const { algorithm, value, source, from } = digest
  const result =
    error?.code === 'checksum_mismatch'
      ? 'checksumFailed'
      : checksum?.verified
        ? 'checksumVerified'
        : state === 'done'
          ? 'checksumUnverified'
          : 'checksumPending'
  return (
    <>
      <span>
        {algorithm}: {t(`detail.${result}`)} {t('detail.digestFrom', { source: t(`detail.digestSource.${source}`) })}
        {!isStrong(algorithm) && ` ${t('detail.digestWeak')}`}
      </span>
      <span className="mono selectable">{value}</span>
      {from && <span className="mono selectable">{from}</span>}
      {bad}
    </>
  )
}
