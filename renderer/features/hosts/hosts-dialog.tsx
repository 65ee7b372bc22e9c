/** The hosts in use and those that asked for less: how many connections each gets now, and why. Looks again every second. */
import { useEffect, useState } from 'react'
import { useTranslation } from 'react-i18next'
import { formatDuration, formatRate } from '../../../shared/format.ts'
import type { HostView } from '../../../shared/host-schemas.ts'
import { tellError } from '../../actions.ts'
import { call } from '../../session.ts'
import { Dialog } from '../../ui/dialog.tsx'
import { useNow } from '../../ui/use-now.ts'
import './hosts.css'

const REFRESH_MS = 1_000

/** Null: not known yet. While the engine is away, what was known last stays. */
function useHosts(): { hosts: HostView[] | null; look: () => void } {
  const [hosts, setHosts] = useState<HostView[] | null>(null)
  const [looks, setLooks] = useState(0)
  useEffect(() => {
    let current = true
    const fetch = (): void => {
      call('hosts.list').then(
        (list) => current && setHosts(list),
        // The banner says that the engine is away; the next look may find it back.
        () => {},
      )
    }
    fetch()
    const timer = setInterval(fetch, REFRESH_MS)
    return () => {
      current = false
      clearInterval(timer)
    }
  }, [looks])
  return { hosts, look: () => setLooks((count) => count + 1) }
}

export function HostsDialog() {
  const { t } = useTranslation()
  const { hosts, look } = useHosts()
  const forget = (host: string): void => {
    call('hosts.forget', { host }).then(look, tellError)
  }
  return (
    <Dialog title={t('hosts.title')} description={t('hosts.hint')} wide>
      {hosts !== null && hosts.length === 0 && <p className="field-hint">{t('hosts.empty')}</p>}
      {hosts !== null && hosts.length > 0 && (
        <ul className="hosts">
          {hosts.map((host) => (
            <Host key={host.host} host={host} onForget={() => forget(host.host)} />
          ))}
        </ul>
      )}
    </Dialog>
  )
}

function Host({ host, onForget }: { host: HostView; onForget: () => void }) {
  const { t } = useTranslation()
  const now = useNow()
  const { complaint, notBefore } = host
  const quiet = notBefore !== null && notBefore > now
  const slowed = quiet || host.allowed < host.most
  const facts = [
    host.waiting > 0 ? t('hosts.waiting', { count: host.waiting }) : null,
    host.requestsPerSecond !== null ? t('hosts.requests', { count: host.requestsPerSecond }) : null,
    host.spacingMs !== null ? t('hosts.spacing', { seconds: host.spacingMs / 1000 }) : null,
    host.limitBytesPerSecond !== null ? t('hosts.limit', { rate: formatRate(host.limitBytesPerSecond) }) : null,
    host.patterns.length > 0 ? t('hosts.rules', { patterns: host.patterns.join(', ') }) : null,
  ].filter((fact) => fact !== null)
  return (
    <li className="host" data-slowed={slowed || undefined}>
      <div className="host-line">
        <span className="host-name selectable">{host.host}</span>
        <span className="host-places">
          {t(host.allowed < host.most ? 'hosts.placesSlowed' : 'hosts.places', {
            open: host.connections,
            allowed: host.allowed,
            most: host.most,
          })}
        </span>
      </div>
      {facts.length > 0 && <p className="host-fact">{facts.join(' · ')}</p>}
      {complaint && (
        <div className="host-line">
          <p className="host-why">
            {t('hosts.complaint', {
              status: complaint.status ?? '',
              time: formatDuration(Math.max(0, now - complaint.at)),
            })}
            {quiet && ` ${t('hosts.quiet', { time: formatDuration(notBefore - now) })}`}
            {!quiet && slowed && ` ${t('hosts.growing')}`}
          </p>
          <button type="button" className="button button-small" title={t('hosts.forgetHint')} onClick={onForget}>
            {t('hosts.forget')}
          </button>
        </div>
      )}
    </li>
  )
}
