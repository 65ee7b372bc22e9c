/** What a page inside the app may never do, whatever its code says. Applied to every session and every web contents. */
import type { App, IpcMainInvokeEvent, Session } from 'electron'
import { APP_ORIGIN } from '../app-protocol.ts'

export function isAppUrl(url: string): boolean {
  return url.startsWith(`${APP_ORIGIN}/`)
}

/** Whether a message comes from the top frame of a page of ours; `senderFrame` is null once the frame is gone. */
export function isTrustedSender({ senderFrame }: Pick<IpcMainInvokeEvent, 'senderFrame'>): boolean {
  return senderFrame !== null && senderFrame.parent === null && isAppUrl(senderFrame.url)
}

/** “Copy link” needs it; it can write text and cannot read. */
const GRANTED = 'clipboard-sanitized-write'

/**
 * No permissions (camera, location, notifications, devices, …) but copying; no downloads by the browser itself, except
 * of what a page of ours made: the exported list.
 */
export function guardSession(session: Session): void {
  session.setPermissionRequestHandler((_contents, permission, answer) => answer(permission === GRANTED))
  session.setPermissionCheckHandler((_contents, permission) => permission === GRANTED)
  session.setDevicePermissionHandler(() => false)
  session.on('will-download', (event, item) => {
    if (!item.getURL().startsWith(`blob:${APP_ORIGIN}/`)) event.preventDefault()
  })
}

/** No new windows, no embedded web views, no navigation away from the app. */
export function guardContents(app: App): void {
  app.on('web-contents-created', (_event, contents) => {
    contents.setWindowOpenHandler(() => ({ action: 'deny' }))
    contents.on('will-attach-webview', (event) => event.preventDefault())
    contents.on('will-navigate', (event) => {
      if (!isAppUrl(event.url)) event.preventDefault()
    })
    contents.on('will-frame-navigate', (event) => {
      if (!isAppUrl(event.url)) event.preventDefault()
    })
    contents.on('will-redirect', (event) => {
      if (!isAppUrl(event.url)) event.preventDefault()
    })
  })
}
