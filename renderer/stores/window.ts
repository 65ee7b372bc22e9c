/** What is open in the window and what the user has typed; nothing here depends on the channel, so nothing is lost. */
import { create } from 'zustand'
import type { RepeatId } from '../../shared/repeats.ts'
import type { AddItem, QueueId, Selection, TaskId } from '../../shared/schemas.ts'
import type { Page, PageAddress } from '../../shared/shell.ts'
import type { RepeatSeed } from '../features/schedule/repeat-form.ts'

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
  /** when they start, as typed; empty: whenever their queue works */
  start: string
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
  start: '',
}
export const EMPTY_DRAFT: AddDraft = {
  links: '',
  folder: '',
  connections: '',
  paused: false,
  ...EMPTY_ACCESS,
}

/** What becomes of a start: nothing, none of its own any more, at once whatever holds it, or a time. */
export const START_CHOICES = ['stay', 'queue', 'force', 'at'] as const
export type StartChoice = (typeof START_CHOICES)[number]

export type OpenDialog =
  | { kind: 'add' }
  | { kind: 'settings' }
  | { kind: 'hosts' }
  | { kind: 'profiles' }
  /** null: a new one */
  | { kind: 'queue'; id: QueueId | null }
  | { kind: 'removeQueue'; id: QueueId; name: string }
  /** `id` null: a new one, which begins with `seed`; `fromAdd`: what was typed in the Add dialog */
  | { kind: 'repeat'; id: RepeatId | null; seed: RepeatSeed | null; fromAdd: boolean }
  | { kind: 'removeRepeat'; id: RepeatId; name: string }
  | { kind: 'refreshLink'; id: TaskId; name: string }
  /** what is to be changed of several downloads; `start`: what the start is to be */
  | { kind: 'edit'; selection: Selection; count: number; name: string | null; start: StartChoice }
  | { kind: 'move'; ids: TaskId[]; name: string | null; folder: string; alreadyThere: boolean }
  | { kind: 'remove'; selection: Selection; count: number; name: string | null }

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

/** Which report is looked at; kept while another page is. Null: the latest night, all queues. */
export const useReportView = create<{ night: string | null; queueId: QueueId | null }>(() => ({
  night: null,
  queueId: null,
}))

export function openPage(page: Page): void {
  useWindow.setState({ page })
}

/** What a notification told of. */
export function openAddress({ page, night }: PageAddress): void {
  if (page === 'report') useReportView.setState({ night: night ?? null, queueId: null })
  openPage(page)
}

/** Opens the Add dialog; given links join what is already typed there. */
export function openAdd(links = ''): void {
  useWindow.setState(({ addDraft }) => ({
    dialog: { kind: 'add' },
    addDraft: { ...addDraft, links: [addDraft.links.trimEnd(), links.trim()].filter(Boolean).join('\n') },
  }))
}
