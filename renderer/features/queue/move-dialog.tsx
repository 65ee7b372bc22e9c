/** Where downloads are to be, or where the user has taken a file already. What is copied shows in the list. */
import { useRef, useState } from 'react'
import { useTranslation } from 'react-i18next'
import { formatCount } from '../../../shared/format.ts'
import type { TaskId } from '../../../shared/schemas.ts'
import { moveFiles } from '../../actions.ts'
import { closeDialog } from '../../stores/window.ts'
import { Dialog } from '../../ui/dialog.tsx'
import { Field } from '../../ui/field.tsx'

export function MoveDialog(props: { ids: TaskId[]; name: string | null; folder: string; alreadyThere: boolean }) {
  const { ids, name, alreadyThere } = props
  const { t } = useTranslation()
  const [path, setPath] = useState(props.folder)
  const input = useRef<HTMLInputElement>(null)
  const what = name ?? t('move.several', { count: ids.length, formatted: formatCount(ids.length) })
  const submit = (): void => {
    closeDialog()
    void moveFiles(ids, path.trim(), alreadyThere)
  }
  return (
    <Dialog
      title={t(alreadyThere ? 'move.locateTitle' : 'move.title', { name: what })}
      description={t(alreadyThere ? 'move.locateBody' : 'move.body')}
      submit={t(alreadyThere ? 'move.locateSubmit' : 'move.submit')}
      busy={path.trim() === '' || path.trim() === props.folder}
      initialFocus={input}
      wide
      onSubmit={submit}
    >
      <Field label={t(alreadyThere ? 'move.file' : 'move.folder')}>
        {(control) => (
          <input
            {...control}
            ref={input}
            className="input mono"
            value={path}
            spellCheck={false}
            autoComplete="off"
            onChange={(event) => setPath(event.target.value)}
          />
        )}
      </Field>
    </Dialog>
  )
}
