/** What a download's file was verified by, or is going to be; and where there is nothing to verify it by. */
import { useTranslation } from 'react-i18next'
import { digestToTell, isStrong } from '../../../shared/integrity.ts'
import type { TaskDetail } from '../../../shared/schemas.ts'

const RESULTS = {
  verified: 'checksumVerified',
  unverified: 'checksumUnverified',
  failed: 'checksumFailed',
  pending: 'checksumPending',
} as const

export function VerifiedBy({ detail }: { detail: TaskDetail }) {
  return (
    <>
      <Digest detail={detail} />
      <BadFiles paths={detail.badFiles} />
    </>
  )
}

function Digest({ detail }: { detail: TaskDetail }) {
  const { t } = useTranslation()
  const told = digestToTell(detail)
  if (!told) return <span>{t(detail.state === 'done' ? 'detail.nothingToVerify' : 'detail.nothingToVerifyYet')}</span>
  const { algorithm, value, source, from } = told.digest
  return (
    <>
      <span>
        {algorithm}: {t(`detail.${RESULTS[told.result]}`)}{' '}
        {t('detail.digestFrom', { source: t(`detail.digestSource.${source}`) })}
        {!isStrong(algorithm) && ` ${t('detail.digestWeak')}`}
      </span>
      <span className="mono selectable">{value}</span>
      {from && <span className="mono selectable">{from}</span>}
    </>
  )
}

function BadFiles({ paths }: { paths: readonly string[] }) {
  const { t } = useTranslation()
  return paths.map((path) => (
    <span key={path}>
      {t('detail.badFile')} <span className="mono selectable">{path}</span>
    </span>
  ))
}
