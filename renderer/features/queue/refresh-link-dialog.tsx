/** A new link for a download whose link expired. What is here stays. */
import { useRef, useState } from 'react'
import { useTranslation } from 'react-i18next'
import { toErrorInfo } from '../../../shared/errors.ts'
import { HttpUrl, type TaskId } from '../../../shared/schemas.ts'
import { en } from '../../i18n/en.ts'
import { errorWords } from '../../i18n/error-words.ts'
import { call } from '../../session.ts'
import { closeDialog } from '../../stores/window.ts'
import { Dialog } from '../../ui/dialog.tsx'
import { Field } from '../../ui/field.tsx'

export function RefreshLinkDialog({ id, name }: { id: TaskId; name: string }) {
  const { t } = useTranslation()
  const [link, setLink] = useState('')
  const [busy, setBusy] = useState(false)
  const [failure, setFailure] = useState<string | null>(null)
  const input = useRef<HTMLInputElement>(null)
  const good = HttpUrl.safeParse(link).success
  const submit = async (): Promise<void> => {
    setBusy(true)
    setFailure(null)
    try {
      await call('tasks.refreshLink', { id, url: link.trim() })
      closeDialog()
    } catch (error) {
      const words = errorWords(toErrorInfo(error), en.errors)
      setFailure([words.title, words.next].filter(Boolean).join('. '))
      setBusy(false)
    }
  }
  return (
    <Dialog
      title={t('refreshLink.title', { name })}
      description={t('refreshLink.body')}
      submit={t('refreshLink.submit')}
      busy={busy || !good}
      initialFocus={input}
      wide
      onSubmit={submit}
    >
      <Field
        label={t('refreshLink.link')}
        problem={failure ?? (link.trim() !== '' && !good ? t('refreshLink.invalid') : null)}
      >
        {(control) => (
          <input
            {...control}
            ref={input}
            className="input mono"
            value={link}
            placeholder="https://"
            spellCheck={false}
            autoComplete="off"
            onChange={(event) => setLink(event.target.value)}
          />
        )}
      </Field>
    </Dialog>
  )
}
