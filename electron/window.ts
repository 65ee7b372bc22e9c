/** The one window: how it is made, locked down and remembered. What it shows is in renderer/. */
import { BrowserWindow, nativeTheme, screen } from 'electron'
import { APP_ORIGIN } from './app-protocol.ts'
import { readWindowState, writeWindowState } from './platform/window-state.ts'

export interface WindowOptions {
  /** the built preload, absolute */
  preload: string
  /** file that keeps the window's place */
  statePath: string
  packaged: boolean
}

const DEFAULT_SIZE = { width: 1080, height: 720 }
const BACKGROUND = { dark: '#14161a', light: '#ffffff' }

/** Opens the window on app://; it appears once it has something to show. */
export function openWindow({ preload, statePath, packaged }: WindowOptions): BrowserWindow {
  const remembered = readWindowState(
    statePath,
    screen.getAllDisplays().map((display) => display.workArea),
  )
  const window = new BrowserWindow({
    ...DEFAULT_SIZE,
    ...remembered?.bounds,
    minWidth: 480,
    minHeight: 320,
    title: 'Nighthaul',
    show: false,
    backgroundColor: nativeTheme.shouldUseDarkColors ? BACKGROUND.dark : BACKGROUND.light,
    webPreferences: {
      preload,
      sandbox: true,
      contextIsolation: true,
      nodeIntegration: false,
      webSecurity: true,
      webviewTag: false,
      spellcheck: false,
      devTools: !packaged,
    },
  })
  if (remembered?.maximized) window.maximize()
  window.once('ready-to-show', () => window.show())
  window.on('close', () => {
    writeWindowState(statePath, { bounds: window.getNormalBounds(), maximized: window.isMaximized() })
  })
  void window.loadURL(`${APP_ORIGIN}/index.html`)
  return window
}

/** Brings the window to the front (a second instance was started). */
export function focusWindow(window: BrowserWindow): void {
  if (window.isMinimized()) window.restore()
  window.show()
  window.focus()
}
