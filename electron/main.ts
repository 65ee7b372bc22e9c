/**
 * Composition root of the app: one instance per profile, the app:// window, the engine host, an orderly end. What
 * each part does is in the files it imports.
 */
import { join } from 'node:path'
import {
  app,
  BrowserWindow,
  dialog,
  ipcMain,
  Menu,
  MessageChannelMain,
  Notification,
  nativeImage,
  powerMonitor,
  powerSaveBlocker,
  protocol,
  session,
  shell,
  Tray,
  utilityProcess,
  type WebContents,
} from 'electron'
import { type Contract, contract } from '../shared/contract.ts'
import type { Client } from '../shared/rpc.ts'
import { createClient } from '../shared/rpc-client.ts'
import type { PageAddress } from '../shared/shell.ts'
import { APP_SCHEME, createAppHandler } from './app-protocol.ts'
import { attendDesktop } from './desktop-power.ts'
import { createInProcessHost, createUtilityHost, type EngineChild, type EngineHost } from './engine-host.ts'
import { startEngineService } from './engine-service.ts'
import { CHANNELS } from './platform/channels.ts'
import { lastWindowClosed } from './platform/closing.ts'
import { guardContents, guardSession, isTrustedSender } from './platform/guards.ts'
import { createFileLogger } from './platform/logging.ts'
import { menuTemplate } from './platform/menu.ts'
import { createTray, type TrayIcon } from './platform/tray.ts'
import { hasTrayHost } from './platform/tray-host.ts'
import { TRAY_ICON } from './platform/tray-icon.ts'
import { profileFolder } from './profile.ts'
import { electronPortDuplex } from './rpc/electron-port-duplex.ts'
import { serveShellApi } from './shell-api.ts'
import { focusWindow, openWindow } from './window.ts'

const distribution = join(import.meta.dirname, '..')
const profile = profileFolder({ flag: app.commandLine.getSwitchValue('profile') || undefined, env: process.env })

// Chromium's own files, and with them the instance lock, belong to the profile: two profiles run side by side.
app.setPath('userData', join(profile, 'shell'))
app.enableSandbox()
protocol.registerSchemesAsPrivileged([
  { scheme: APP_SCHEME, privileges: { standard: true, secure: true, supportFetchAPI: true, codeCache: true } },
])
guardContents(app)

if (app.requestSingleInstanceLock()) void run()
else app.quit()

async function run(): Promise<void> {
  const logger = createFileLogger(profile, 'shell')
  let window: BrowserWindow | null = null
  let tray: { connect(): void } | null = null
  const host = createHost()
  const engine = engineClient(host)

  /** The window takes what is wanted itself, once it can: it may have to be made first. */
  let wantedPage: PageAddress | null = null
  const showWindow = (wanted?: PageAddress) => {
    wantedPage = wanted ?? wantedPage
    if (window !== null) {
      if (wanted) window.webContents.send(CHANNELS.pageWanted)
      return focusWindow(window)
    }
    window = openWindow({
      preload: join(distribution, 'electron', 'preload.cjs'),
      statePath: join(profile, 'window.json'),
      packaged: app.isPackaged,
    })
    window.on('closed', () => {
      window = null
    })
  }

  app.on('second-instance', () => showWindow())
  app.on('activate', () => showWindow())
  app.on('window-all-closed', () => {
    void lastWindowClosed({
      platform: process.platform,
      engine,
      hasTray: async () => tray !== null && (await hasTrayHost(process.platform)),
      hasWindow: () => window !== null,
      notify: (options) => new Notification(options),
      showWindow,
      quit: () => app.quit(),
      toldPath: join(profile, 'shell', 'told-of-tray'),
      logger,
    })
  })
  drainBeforeQuit(host)

  host.onState((state) => {
    logger.info({ state }, 'engine')
    if (state.kind === 'running') tray?.connect()
    if (state.kind === 'failed') void offerAnotherTry(host, state.error.message)
  })

  function createHost(): EngineHost {
    const version = app.getVersion()
    // Asked for no earlier than the first download: the session exists from `ready` on.
    const resolveProxy = (url: string) => session.defaultSession.resolveProxy(url)
    if (process.env.NIGHTHAUL_ENGINE === 'inproc') {
      return createInProcessHost(() => startEngineService({ profile, version, resolveProxy }))
    }
    const entry = join(distribution, 'electron', 'engine-process.cjs')
    const fork = () =>
      utilityProcess.fork(entry, [profile, version], { serviceName: 'Nighthaul engine' }) as EngineChild
    return createUtilityHost({ fork, resolveProxy, logger })
  }

  await app.whenReady()
  guardSession(session.defaultSession)
  protocol.handle(APP_SCHEME, createAppHandler(join(distribution, 'renderer')))
  Menu.setApplicationMenu(Menu.buildFromTemplate(menuTemplate(process.platform, app.isPackaged)))
  serveShellApi({
    ipcMain,
    dialog,
    shell,
    engine,
    isTrusted: isTrustedSender,
    connectWindow: (contents) => connectWindow(host, contents),
    takePage: () => {
      const wanted = wantedPage
      wantedPage = null
      return wanted
    },
  })
  attendDesktop({
    ...{ powerMonitor, powerSaveBlocker, logger, engine, showWindow },
    notify: (options) => new Notification(options),
    onRunning: (listener) => host.onState(({ kind }) => kind === 'running' && listener()),
    quit: () => app.quit(),
  })
  powerMonitor.on('resume', () => {
    // Other proxies, too, perhaps; dead connections certainly.
    void session.defaultSession
      .forceReloadProxyConfig()
      .then(async () => (await engine()).call('network.changed', { reason: 'wake' }))
      .catch((error: unknown) => logger.warn({ error }, 'the engine did not hear that the machine woke'))
  })
  tray = createTray({ icon: openTray(showWindow), engine, showWindow, quit: () => app.quit(), logger })
  host.start()
  showWindow()
}

function openTray(clicked: () => void): TrayIcon {
  const tray = new Tray(nativeImage.createFromDataURL(TRAY_ICON))
  tray.on('click', clicked)
  return {
    setToolTip: (text) => tray.setToolTip(text),
    setMenu: (template) => tray.setContextMenu(Menu.buildFromTemplate(template)),
  }
}

/** Progress frames go from engine to window over this channel and never pass through here. */
function connectWindow(host: EngineHost, contents: WebContents): void {
  const { port1, port2 } = new MessageChannelMain()
  contents.postMessage(CHANNELS.port, null, [port1])
  host.connectWindow(port2)
}

/** A client of the engine for the shell itself, made when it is first needed and again after the engine was. */
function engineClient(host: EngineHost): () => Promise<Client<Contract>> {
  let client: Client<Contract> | null = null
  return async () => {
    if (client !== null) return client
    const { port1, port2 } = new MessageChannelMain()
    host.connectWindow(port2)
    const created = createClient(contract, electronPortDuplex(port1))
    created.onClose(() => {
      client = null
    })
    client = created
    return created
  }
}

/** The first quit waits for the engine: files flushed, store closed, queue given up. */
function drainBeforeQuit(host: EngineHost): void {
  let drained = false
  app.on('before-quit', (event) => {
    if (drained) return
    event.preventDefault()
    for (const window of BrowserWindow.getAllWindows()) window.hide()
    void host.drain().finally(() => {
      drained = true
      app.quit()
    })
  })
}

/** The engine cannot run (another process owns the profile, a newer store, too many crashes): say it, try or quit. */
async function offerAnotherTry(host: EngineHost, message: string): Promise<void> {
  const { response } = await dialog.showMessageBox({
    type: 'error',
    title: 'Nighthaul',
    message: 'Nighthaul cannot start its engine.',
    detail: message,
    buttons: ['Try again', 'Quit'],
    defaultId: 0,
    cancelId: 1,
  })
  if (response === 0) host.start()
  else app.quit()
}
