/**
 * The few things a window asks of the main process: the system's folder dialog, showing and opening files, which page it
 * is to show. A window names tasks, never paths: the path comes from the engine.
 */
import { existsSync } from 'node:fs'
import { isAbsolute } from 'node:path'
import type { Dialog, IpcMain, IpcMainInvokeEvent, Shell, WebContents } from 'electron'
import { z } from 'zod'
import type { Contract } from '../shared/contract.ts'
import { NighthaulError, toErrorInfo } from '../shared/errors.ts'
import type { Client } from '../shared/rpc.ts'
import { TaskId } from '../shared/schemas.ts'
import type { PageAddress } from '../shared/shell.ts'
import { CHANNELS } from './platform/channels.ts'
import { isProgram } from './platform/programs.ts'
import type { ShellReply } from './preload.ts'

export interface ShellApiDeps {
  ipcMain: Pick<IpcMain, 'handle' | 'on'>
  dialog: Pick<Dialog, 'showOpenDialog' | 'showMessageBox'>
  shell: Pick<Shell, 'showItemInFolder' | 'openPath'>
  /** a client of the running engine; rejects while there is none */
  engine(): Promise<Client<Contract>>
  /** whether a message comes from the top frame of a window of ours that shows app:// */
  isTrusted(event: Pick<IpcMainInvokeEvent, 'sender' | 'senderFrame'>): boolean
  /** hands a new port to the window */
  connectWindow(contents: WebContents): void
  /** the page that is to be shown, once; null: none */
  takePage(): PageAddress | null
}

const FolderHint = z.string().max(4096).optional()

/** Registers the handlers; every one of them checks its sender and parses its input. */
export function serveShellApi(deps: ShellApiDeps): void {
  const { ipcMain, dialog, shell } = deps

  const serve = <I, T>(channel: string, input: z.ZodType<I>, handler: (input: I) => Promise<T>) => {
    ipcMain.handle(channel, async (event, argument: unknown): Promise<ShellReply<T>> => {
      try {
        if (!deps.isTrusted(event)) throw new NighthaulError('access_denied', 'This page may not ask the app anything.')
        const parsed = input.safeParse(argument)
        if (!parsed.success) throw new NighthaulError('invalid_input', z.prettifyError(parsed.error))
        return { ok: true, value: await handler(parsed.data) }
      } catch (error) {
        return { ok: false, error: toErrorInfo(error) }
      }
    })
  }

  ipcMain.on(CHANNELS.requestPort, (event) => {
    if (deps.isTrusted(event)) deps.connectWindow(event.sender)
  })

  serve(CHANNELS.takePage, z.undefined(), async () => deps.takePage())

  serve(CHANNELS.chooseFolder, FolderHint, async (current) => {
    const defaultPath = current !== undefined && isAbsolute(current) && existsSync(current) ? current : undefined
    const properties = ['openDirectory' as const, 'createDirectory' as const]
    const { canceled, filePaths } = await dialog.showOpenDialog({ ...(defaultPath && { defaultPath }), properties })
    return canceled ? null : (filePaths[0] ?? null)
  })

  serve(CHANNELS.showInFolder, TaskId, async (id) => {
    const task = await (await deps.engine()).call('tasks.get', { id })
    const path = [task.path, task.partPath].find((candidate) => candidate !== null && existsSync(candidate))
    if (!path) throw new NighthaulError('partial_missing', `The file of “${task.filename}” is not in ${task.folder}.`)
    shell.showItemInFolder(path)
  })

  serve(CHANNELS.openFile, TaskId, async (id) => {
    const task = await (await deps.engine()).call('tasks.get', { id })
    if (task.state !== 'done' || task.path === null) {
      throw new NighthaulError('task_state', `“${task.filename}” is not finished yet, so it cannot be opened.`)
    }
    if (!existsSync(task.path)) {
      throw new NighthaulError('partial_missing', `“${task.filename}” is no longer in ${task.folder}.`)
    }
    if (await isProgram(task.path)) {
      const { response } = await dialog.showMessageBox({
        type: 'warning',
        buttons: ['Cancel', 'Open'],
        defaultId: 0,
        cancelId: 0,
        message: `“${task.filename}” is a program.`,
        detail: `It came from ${new URL(task.finalUrl ?? task.url).host}. Open it only if you trust that place.`,
      })
      if (response !== 1) return
    }
    const problem = await shell.openPath(task.path)
    if (problem !== '') throw new NighthaulError('io_error', `“${task.filename}” could not be opened: ${problem}`)
  })
}
