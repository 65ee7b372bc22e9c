/** The window: where each part lies. */
import { CSPProvider } from '@base-ui/react/csp-provider'
import { AddDialog } from './features/add/add-dialog.tsx'
import { IncomingLinks } from './features/add/incoming-links.tsx'
import { DetailPanel } from './features/detail/detail-panel.tsx'
import { HostsDialog } from './features/hosts/hosts-dialog.tsx'
import { EditDialog } from './features/queue/edit-dialog.tsx'
import { MoveDialog } from './features/queue/move-dialog.tsx'
import { RefreshLinkDialog } from './features/queue/refresh-link-dialog.tsx'
import { RemoveDialog } from './features/queue/remove-dialog.tsx'
import { Sidebar } from './features/queue/sidebar.tsx'
import { TaskGrid } from './features/queue/task-grid.tsx'
import { Toolbar } from './features/queue/toolbar.tsx'
import { ReportPage } from './features/report/report-page.tsx'
import { NightPage } from './features/schedule/night-page.tsx'
import { ProfilesDialog } from './features/schedule/profiles-dialog.tsx'
import { QueueDialog, RemoveQueueDialog } from './features/schedule/queue-dialog.tsx'
import { RemoveRepeatDialog, RepeatDialog } from './features/schedule/repeat-dialog.tsx'
import { SettingsDialog } from './features/settings/settings-dialog.tsx'
import { StatsPage } from './features/stats/stats-page.tsx'
import { ThroughputStrip } from './features/stats/throughput-strip.tsx'
import { useConnection } from './session.ts'
import { useWindow } from './stores/window.ts'
import { Announcer } from './ui/announcer.tsx'
import { ConnectionBanner } from './ui/connection-banner.tsx'
import { CountdownBanner } from './ui/countdown-banner.tsx'
import { Notices } from './ui/notices.tsx'
import { Toasts } from './ui/toasts.tsx'

export function App() {
  const dialog = useWindow((state) => state.dialog)
  const page = useWindow((state) => state.page)
  const details = useWindow((state) => state.details)
  const away = useConnection((state) => state.status.kind === 'away')
  return (
    // The Content-Security-Policy forbids inline <style>: Base UI must not make any.
    <CSPProvider disableStyleElements>
      <div className="window" data-away={away || undefined}>
        <Toolbar />
        <div className="banners">
          <ConnectionBanner />
          <CountdownBanner />
          <Notices />
        </div>
        <Sidebar />
        <main className="main">
          {page === 'statistics' ? (
            <StatsPage />
          ) : page === 'night' ? (
            <NightPage />
          ) : page === 'report' ? (
            <ReportPage />
          ) : (
            <>
              <TaskGrid />
              {details !== null && <DetailPanel id={details} />}
            </>
          )}
        </main>
        <ThroughputStrip />
      </div>
      {dialog?.kind === 'add' && <AddDialog />}
      {dialog?.kind === 'settings' && <SettingsDialog />}
      {dialog?.kind === 'queue' && <QueueDialog id={dialog.id} />}
      {dialog?.kind === 'removeQueue' && <RemoveQueueDialog {...dialog} />}
      {dialog?.kind === 'repeat' && <RepeatDialog {...dialog} />}
      {dialog?.kind === 'removeRepeat' && <RemoveRepeatDialog {...dialog} />}
      {dialog?.kind === 'profiles' && <ProfilesDialog />}
      {dialog?.kind === 'hosts' && <HostsDialog />}
      {dialog?.kind === 'edit' && <EditDialog {...dialog} />}
      {dialog?.kind === 'move' && <MoveDialog {...dialog} />}
      {dialog?.kind === 'remove' && <RemoveDialog {...dialog} />}
      {dialog?.kind === 'refreshLink' && <RefreshLinkDialog {...dialog} />}
      <IncomingLinks />
      <Toasts />
      <Announcer />
    </CSPProvider>
  )
}
