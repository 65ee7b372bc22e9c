/** Adds one or many links. What is typed lives in the window's store: closing or a lost engine does not lose it. */
import { useMemo, useRef, useState } from 'react'
import { useTranslation } from 'react-i18next'
import { toErrorInfo } from '../../../shared/errors.ts'
import { formatCount } from '../../../shared/format.ts'
import { add } from '../../actions.ts'
import { en } from '../../i18n/en.ts'
import { errorWords } from '../../i18n/error-words.ts'
import { useSettings } from '../../session.ts'
import { type AddDraft, closeDialog, EMPTY_DRAFT, useWindow } from '../../stores/window.ts'
import { Dialog } from '../../ui/dialog.tsx'
import { Field, FolderInput } from '../../ui/field.tsx'
import { readChecksum, readLinks } from './links.ts'
import './add.css'

const SHOWN_PROBLEMS = 4
const MOST_CONNECTIONS = 64

export function AddDialog() {
  const { t } = useTranslation()
  const draft = useWindow((state) => state.addDraft)
  const settings = useSettings((state) => state.settings)
  const linksRef = useRef<HTMLTextAreaElement>(null)
  const [busy, setBusy] = useState(false)
  const [failure, setFailure] = useState<string | null>(null)
  const lines = useMemo(() => readLinks(draft.links), [draft.links])
  const good = lines.filter((line) => line.problem === null)
  const problems = lines.filter((line) => line.problem !== null)
  const wrong = problems.filter((line) => line.problem !== 'repeated')
  const set = (change: Partial<AddDraft>): void =>
    useWindow.setState({ addDraft: { ...useWindow.getState().addDraft, ...change } })

  const connections = draft.connections === '' ? undefined : Number(draft.connections)
  const connectionsWrong =
    connections !== undefined && !(Number.isInteger(connections) && connections >= 1 && connections <= MOST_CONNECTIONS)
  const single = good.length === 1 && wrong.length === 0
  const checksum = single && draft.checksum.trim() !== '' ? readChecksum(draft.checksum) : undefined
  const checksumWrong = single && draft.checksum.trim() !== '' && checksum === undefined
  const ready = good.length > 0 && !connectionsWrong && !checksumWrong

  const submit = async (): Promise<void> => {
    if (!ready) {
      linksRef.current?.focus()
      return
    }
    setBusy(true)
    setFailure(null)
    try {
      await add({
        items: good.map(({ text }) => ({ url: text, options: checksum && { checksum } })),
        folder: draft.folder.trim() || undefined,
        options: connections === undefined ? undefined : { connections },
        paused: draft.paused,
      })
      // Folder and connections stay for the next links; lines that are no links stay to be corrected.
      set({ links: wrong.map(({ text }) => text).join('\n'), checksum: EMPTY_DRAFT.checksum })
      if (wrong.length === 0) closeDialog()
      else setBusy(false)
    } catch (error) {
      const words = errorWords(toErrorInfo(error), en.errors)
      setFailure([words.title, words.next].filter(Boolean).join('. '))
      setBusy(false)
    }
  }

  const formatted = formatCount(good.length)
  return (
    <Dialog
      title={t('add.title')}
      wide
      submit={good.length > 1 ? t('add.submitMany', { count: good.length, formatted }) : t('add.submit')}
      busy={busy || !ready}
      initialFocus={linksRef}
      onSubmit={submit}
    >
      <Field label={t('add.links')}>
        {(control) => (
          <>
            <textarea
              {...control}
              ref={linksRef}
              className="input add-links"
              aria-invalid={wrong.length > 0 || undefined}
              aria-describedby={`${control.id}-lines`}
              rows={6}
              value={draft.links}
              placeholder="https://"
              spellCheck={false}
              autoComplete="off"
              wrap="off"
              onChange={(event) => set({ links: event.target.value })}
              onKeyDown={(event) => {
                if (event.key === 'Enter' && (event.ctrlKey || event.metaKey)) event.currentTarget.form?.requestSubmit()
              }}
            />
            <div id={`${control.id}-lines`} className="add-lines" aria-live="polite">
              <p className="field-hint">
                {lines.length === 0 ? t('add.linksHint') : t('add.count', { count: good.length, formatted })}
              </p>
              {problems.slice(0, SHOWN_PROBLEMS).map(({ line, problem }) => (
                <p key={line} className={problem === 'repeated' ? 'field-hint' : 'field-problem'}>
                  {problem && t(`add.problem.${problem}`, { line })}
                </p>
              ))}
              {problems.length > SHOWN_PROBLEMS && (
                <p className="field-hint">
                  {t('add.moreProblems', {
                    count: problems.length - SHOWN_PROBLEMS,
                    formatted: formatCount(problems.length - SHOWN_PROBLEMS),
                  })}
                </p>
              )}
            </div>
          </>
        )}
      </Field>
      <Field label={t('add.folder')}>
        {(control) => (
          <FolderInput
            control={control}
            value={draft.folder}
            placeholder={settings?.downloadFolder}
            chooseLabel={t('add.choose')}
            onChange={(folder) => set({ folder })}
          />
        )}
      </Field>
      <div className="field-columns">
        <Field
          label={t('add.connections')}
          hint={t('add.connectionsHint')}
          problem={connectionsWrong ? t('add.connectionsInvalid') : null}
        >
          {(control) => (
            <input
              {...control}
              className="input input-number"
              inputMode="numeric"
              value={draft.connections}
              placeholder={settings ? String(settings.connectionsPerDownload) : undefined}
              onChange={(event) => set({ connections: event.target.value.trim() })}
            />
          )}
        </Field>
        {single && (
          <Field
            label={t('add.checksum')}
            hint={checksum ? t('add.checksumKnown', { algorithm: checksum.algorithm }) : t('add.checksumHint')}
            problem={checksumWrong ? t('add.checksumInvalid') : null}
          >
            {(control) => (
              <input
                {...control}
                className="input mono"
                value={draft.checksum}
                placeholder="sha-256=…"
                spellCheck={false}
                autoComplete="off"
                onChange={(event) => set({ checksum: event.target.value })}
              />
            )}
          </Field>
        )}
      </div>
      <label className="check">
        <input type="checkbox" checked={draft.paused} onChange={(event) => set({ paused: event.target.checked })} />
        {t('add.paused')}
      </label>
      {failure !== null && (
        <p className="field-problem" role="alert">
          {failure} {t('add.keptDraft')}
        </p>
      )}
    </Dialog>
  )
}
