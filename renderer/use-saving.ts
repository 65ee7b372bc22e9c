/** What the button of a dialog does, in one way for all of them. */
import { useState } from 'react'
import { tellError } from './actions.ts'
import { closeDialog } from './stores/window.ts'

/**
 * Whether something is under way, and how to begin: the dialog closes when it is done. Where it fails, the reason is
 * told, and the dialog stays with all that was typed.
 */
export function useSaving(): [busy: boolean, save: (work: () => Promise<unknown>) => Promise<void>] {
  const [busy, setBusy] = useState(false)
  const save = async (work: () => Promise<unknown>): Promise<void> => {
    setBusy(true)
    try {
      await work()
      closeDialog()
    } catch (error) {
      tellError(error)
      setBusy(false)
    }
  }
  return [busy, save]
}
