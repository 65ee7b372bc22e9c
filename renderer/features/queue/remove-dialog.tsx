/** Asks before removing, and whether the files go too. */
import { useState } from 'react'
import { useTranslation } from 'react-i18next'
import { formatCount } from '../../../shared/format.ts'
import type { Selection } from '../../../shared/schemas.ts'
import { remove } from '../../actions.ts'
import { Dialog } from '../../ui/dialog.tsx'
import { useSaving } from '../../use-saving.ts'

export function RemoveDialog({ selection, count, name }: { selection: Selection; count: number; name: string | null }) {
  const { t } = useTranslation()
  const [deleteFiles, setDeleteFiles] = useState(false)
  const [busy, save] = useSaving()
  const submit = async (): Promise<void> => {
    await save(async () => {
      await remove(selection, deleteFiles)
    })
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
