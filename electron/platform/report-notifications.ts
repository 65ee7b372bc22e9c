/** Tells of the report of a night with a notification of the system; a click on it shows the window. */
import type { Contract } from '../../shared/contract.ts'
import type { Client } from '../../shared/rpc.ts'
import type { Logger } from '../engine/ports.ts'

export interface ReportNotificationsDeps {
  engine(): Promise<Pick<Client<Contract>, 'subscribe'>>
  /** `clicked`: what a click does */
  show(notification: { title: string; body: string }, clicked: () => void): void
  showWindow(): void
  logger: Logger
}

/** Listens to the engine that runs now: to be called whenever one has begun to run. */
export async function listenForReports({ engine, show, showWindow, logger }: ReportNotificationsDeps): Promise<void> {
  try {
    const client = await engine()
    await client.subscribe('report.ready', ({ tell, title, summary }) => {
      if (tell) show({ title, body: summary }, showWindow)
    })
  } catch (error) {
    logger.warn({ error: String(error) }, 'nobody will be told of reports')
  }
}
