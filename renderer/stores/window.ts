/** What is open in the window and what the user has typed; nothing here depends on the channel, so nothing is lost. */
import { create } from 'zustand'
import type { AddItem, QueueId, Selection, TaskId } from '../../shared/schemas.ts'

/** A Metalink file and what it names. */
export interface ChosenMetalink {
  name: string
  items: AddItem[]
  /** files in it without a usable link */
  skipped: number
  /** why it cannot be used */
  problem: string | null
}

export interface AddDraft {
  links: string
  /** other links of the one file, one a line */
  mirrors: string
  metalinks: ChosenMetalink[]
  folder: string
  /** null: the one that is shown, or the default one */
  queueId: QueueId | null
  /** empty: as the settings say */
  connections: string
  checksum: string
  user: string
  password: string
  bearer: string
  paused: boolean
}

/** What is known for one set of links only: emptied once they were added. */
export const EMPTY_ACCESS = {
  checksum: '',
  user: '',
  password: '',
  bearer: '',
  mirrors: '',
  metalinks: [],
  queueId: null as QueueId | null,
}
export const EMPTY_DRAFT: AddDraft = {
  links: '',
  folder: '',
  connections: '',
  paused: false,
  ...EMPTY_ACCESS,
}

export type OpenDialog =
  | { kind: 'add' }
  | { kind: 'settings' }
  | { kind: 'hosts' }
  | { kind: 'profiles' }
  /** null: a new one */
  | { kind: 'queue'; id: QueueId | null }
  | { kind: 'removeQueue'; id: QueueId; name: string }
  | { kind: 'refreshLink'; id: TaskId; name: string }
  | { kind: 'move'; ids: TaskId[]; name: string | null; folder: string; alreadyThere: boolean }
  | { kind: 'remove'; selection: Selection; count: number; name: string | null }

export type Page = 'downloads' | 'night' | 'report' | 'statistics'

export interface WindowState {
  page: Page
  dialog: OpenDialog | null
  /** kept when the dialog is closed unsent */
  addDraft: AddDraft
  details: TaskId | null
}

export const useWindow = create<WindowState>(() => ({
  page: 'downloads',
  dialog: null,
  addDraft: EMPTY_DRAFT,
  details: null,
}))

export function closeDialog(): void {
  useWindow.setState({ dialog: null })
}

export function openPage(page: Page): void {
  useWindow.setState({ page })
}

/** Opens the Add dialog; given links join what is already typed there. */
export function openAdd(links = ''): void {
  useWindow.setState(({ addDraft }) => ({
    dialog: { kind: 'add' },
    addDraft: { ...addDraft, links: [addDraft.links.trimEnd(), links.trim()].filter(Boolean).join('\n') },
  }))
}
