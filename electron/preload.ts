/**
 * Runs sandboxed before the window's code: exposes the ShellApi and forwards the engine's port. It must be built to
 * CommonJS: a sandboxed preload cannot be a module.
 */
import { contextBridge, ipcRenderer } from 'electron'
import type { ErrorInfo } from '../shared/errors.ts'
import { type PageAddress, PORT_MESSAGE, type ShellApi } from '../shared/shell.ts'
import { CHANNELS } from './platform/channels.ts'

/** The one global of the page used here; the layer's other files must not see the DOM. */
declare const window: {
  readonly location: { readonly origin: string }
  postMessage(message: unknown, targetOrigin: string, transfer: readonly unknown[]): void
}

/** Errors of `ipcMain.handle` arrive as text wrapped by Electron; so the shell answers with a value instead. */
export type ShellReply<T> = { ok: true; value: T } | { ok: false; error: ErrorInfo }

async function ask<T>(channel: string, ...input: unknown[]): Promise<T> {
  const reply: ShellReply<T> = await ipcRenderer.invoke(channel, ...input)
  if (reply.ok) return reply.value
  throw new Error(reply.error.message)
}

const shell: ShellApi = {
  platform: process.platform,
  requestPort: () => ipcRenderer.send(CHANNELS.requestPort),
  chooseFolder: (current) => ask(CHANNELS.chooseFolder, current),
  showInFolder: (id) => ask(CHANNELS.showInFolder, id),
  openFile: (id) => ask(CHANNELS.openFile, id),
  onPageWanted: (listener) => {
    const take = async () => {
      const wanted = await ask<PageAddress | null>(CHANNELS.takePage)
      if (wanted !== null) listener(wanted)
    }
    ipcRenderer.on(CHANNELS.pageWanted, () => void take())
    void take()
  },
}

ipcRenderer.on(CHANNELS.port, (event) => {
  window.postMessage({ type: PORT_MESSAGE }, window.location.origin, event.ports)
})

contextBridge.exposeInMainWorld('nighthaul', shell)
