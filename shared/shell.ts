/**
 * What the window may ask of the desktop shell. `window.nighthaul` exists only inside Electron (the preload exposes
 * it); in a browser it is undefined and the window reaches the engine over a WebSocket.
 */
import type { TaskId } from './schemas.ts'

/** `data.type` of the window message that hands over the engine's MessagePort: `event.ports[0]`, from this window. */
export const PORT_MESSAGE = 'nighthaul:port'

/** What the window can show beside its dialogs. */
export type Page = 'downloads' | 'night' | 'report' | 'statistics'

/** A page that the shell wants shown: what a notification told of, say. */
export interface PageAddress {
  page: Page
  /** of the report: which night; left out: the latest */
  night?: string
}

export interface ShellApi {
  /** `process.platform` of the shell */
  readonly platform: string
  /**
   * Asks for a new port to the engine. A MessagePort cannot be a return value here, so it arrives as a `message` event
   * on `window` with `event.source === window`, `event.data.type === PORT_MESSAGE` and the port in `event.ports[0]`.
   * Call again when a port closes (the engine was restarted).
   */
  requestPort(): void
  /** The folder chosen in the system's dialog, or null when it was dismissed. */
  chooseFolder(current?: string): Promise<string | null>
  /** Shows the file (or the partial) of a task in the file manager. Rejects with a sentence for people. */
  showInFolder(id: TaskId): Promise<void>
  /** Opens the finished file of a task; asks first where the file is a program. Rejects with a sentence for people. */
  openFile(id: TaskId): Promise<void>
  /** Hears of every page that the shell wants shown, also of the one it wanted before the window was there. */
  onPageWanted(listener: (wanted: PageAddress) => void): void
}
