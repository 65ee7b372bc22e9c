/** Asks before removing, and whether the files go too. */
import { useState } from 'react'
import { useTranslation } from 'react-i18next'
import { formatCount } from '../../../shared/format.ts'
import type { Selection } from '../../../shared/schemas.ts'
import { remove, tellError } from '../../actions.ts'
import { closeDialog } from '../../stores/window.ts'
import { Dialog } from '../../ui/dialog.tsx'

export function RemoveDialog({ selection, count, name }: { selection: Selection; count: number; name: string | null }) {
  const { t } = useTranslation()
  const [deleteFiles, setDeleteFiles] = useState(false)
  const [busy, setBusy] = useState(false)
  const submit = async (): Promise<void> => {
    setBusy(true)
    try {
      await remove(selection, deleteFiles)
      closeDialog()
    } catch (error) {
      tellError(error)
      setBusy(false)
    }
  }
  return (
    <Dialog
      title={
        name === null ? t('remove.title', { count, formatted: formatCount(count) }) : t('remove.titleOne', { name })
      }
      description={t('remove.body')}
      submit={deleteFiles ? t('remove.submitFiles') : t('remove.submit')}
      danger={deleteFiles}
      busy={busy}
      onSubmit={submit}
    >
      <label className="check">
        <input type="checkbox" checked={deleteFiles} onChange={(event) => setDeleteFiles(event.target.checked)} />
        {t('remove.deleteFiles')}
      </label>
    </Dialog>
  )
}
