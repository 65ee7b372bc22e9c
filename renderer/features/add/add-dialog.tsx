/** Adds one or many links. What is typed lives in the window's store: closing or a lost engine does not lose it. */
import { useMemo, useRef, useState } from 'react'
import { useTranslation } from 'react-i18next'
import { toErrorInfo } from '../../../shared/errors.ts'
import { formatCount } from '../../../shared/format.ts'
import { type AddItem, DEFAULT_QUEUE_ID, type TaskOptions } from '../../../shared/schemas.ts'
import { add } from '../../actions.ts'
import { en } from '../../i18n/en.ts'
import { errorWords } from '../../i18n/error-words.ts'
import { addRepeat } from '../../queue-actions.ts'
import { taskList, useSettings } from '../../session.ts'
import { useQueues } from '../../stores/queues.ts'
import { type AddDraft, closeDialog, EMPTY_ACCESS, useWindow } from '../../stores/window.ts'
import { Dialog } from '../../ui/dialog.tsx'
import { Field, FolderInput, SelectField } from '../../ui/field.tsx'
import { Icon } from '../../ui/icon.tsx'
import { useNow } from '../../ui/use-now.ts'
import { StartField } from '../schedule/start-field.tsx'
import { readStart } from '../schedule/start-time.ts'
import { type CurlMeaning, splitCurl, useCurl } from './curl.ts'
import { type LinkLine, mirrorOf, readChecksum, readLinks, readPastedChecksums } from './links.ts'
import { MetalinkFiles } from './metalink.tsx'
import './add.css'

const SHOWN_PROBLEMS = 4
const MOST_CONNECTIONS = 64

export function AddDialog() {
  const { t } = useTranslation()
  const draft = useWindow((state) => state.addDraft)
  const settings = useSettings((state) => state.settings)
  const queues = useQueues((state) => state.queues) ?? []
  const [shownQueue] = useState(() => taskList.store.getState().query.queueId)
  const wanted = draft.queueId ?? shownQueue
  // One that was removed meanwhile is none.
  const queue = queues.find(({ id }) => id === wanted)
  const queueId = queue?.id ?? DEFAULT_QUEUE_ID
  const linksRef = useRef<HTMLTextAreaElement>(null)
  const [busy, setBusy] = useState(false)
  const [failure, setFailure] = useState<string | null>(null)
  const { commands, rest } = useMemo(() => splitCurl(draft.links), [draft.links])
  const meanings = useCurl(commands)
  const lines = useMemo(() => readLinks(rest), [rest])
  const pasted = useMemo(() => readPastedChecksums(rest, lines), [rest, lines])
  const good = lines.filter((line) => line.problem === null)
  const problems = lines.filter((line) => line.problem !== null)
  const wrong = problems.filter((line) => line.problem !== 'repeated')
  const requests = meanings.flatMap((meaning) => (meaning.kind === 'items' ? meaning.items : []))
  const wrongCommands = commands.filter((_, index) => meanings[index]?.kind === 'wrong')
  const documents = draft.metalinks.flatMap(({ items }) => items)
  const found = good.length + requests.length + documents.length
  const set = (change: Partial<AddDraft>): void =>
    useWindow.setState({ addDraft: { ...useWindow.getState().addDraft, ...change } })

  const connections = draft.connections === '' ? undefined : Number(draft.connections)
  const connectionsWrong =
    connections !== undefined && !(Number.isInteger(connections) && connections >= 1 && connections <= MOST_CONNECTIONS)
  const single = found === 1 && wrong.length + wrongCommands.length === 0
  const checksum = single && draft.checksum.trim() !== '' ? readChecksum(draft.checksum) : undefined
  const checksumWrong = single && draft.checksum.trim() !== '' && checksum === undefined
  const lone = single && documents.length === 0 && requests.length === 0
  const mirrors = useMemo(() => readLinks(lone ? draft.mirrors : ''), [lone, draft.mirrors])
  const wrongMirror = mirrors.find(({ problem }) => problem === 'invalid' || problem === 'scheme')
  const start = readStart(draft.start, useNow())
  const ready =
    found > 0 &&
    'at' in start &&
    wrongMirror === undefined &&
    !meanings.some(({ kind }) => kind === 'pending') &&
    !connectionsWrong &&
    !checksumWrong

  const options = (): TaskOptions => ({
    ...(connections !== undefined && !connectionsWrong && { connections }),
    ...((draft.user !== '' || draft.password !== '') && { user: draft.user, password: draft.password }),
    ...(draft.bearer.trim() !== '' && { bearer: draft.bearer.trim() }),
  })

  const submit = async (): Promise<void> => {
    if (!ready) {
      linksRef.current?.focus()
      return
    }
    setBusy(true)
    setFailure(null)
    try {
      await add({
        items: [...good.map((line) => itemOf(line, mirrors)), ...requests, ...documents].map((item) => {
          const expected = checksum ?? pasted.byLink.get(item.url)
          return expected ? { ...item, options: { ...item.options, checksum: expected } } : item
        }),
        folder: draft.folder.trim() || undefined,
        ...(queueId !== DEFAULT_QUEUE_ID && { queueId }),
        options: options(),
        ...('at' in start && start.at !== null && { startAt: start.at }),
        paused: draft.paused,
      })
      // Folder and connections stay for the next links; lines that are no links stay to be corrected.
      const left = [...wrong.map(({ text }) => text), ...wrongCommands]
      set({ links: left.join('\n'), ...EMPTY_ACCESS })
      if (left.length === 0) closeDialog()
      else setBusy(false)
    } catch (error) {
      const words = errorWords(toErrorInfo(error), en.errors)
      setFailure([words.title, words.next].filter(Boolean).join('. '))
      setBusy(false)
    }
  }

  const formatted = formatCount(found)
  return (
    <Dialog
      title={t('add.title')}
      wide
      submit={found > 1 ? t('add.submitMany', { count: found, formatted }) : t('add.submit')}
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
              aria-invalid={wrong.length + wrongCommands.length > 0 || undefined}
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
                {lines.length + commands.length === 0
                  ? t('add.linksHint')
                  : t('add.count', { count: found, formatted })}
              </p>
              {pasted.byLink.size > 0 && (
                <p className="field-hint">
                  {t('add.sums', { count: pasted.byLink.size, formatted: formatCount(pasted.byLink.size) })}
                </p>
              )}
              {pasted.left > 0 && (
                <p className="field-problem">
                  {t('add.sumsLeft', { count: pasted.left, formatted: formatCount(pasted.left) })}
                </p>
              )}
              {meanings.slice(0, SHOWN_PROBLEMS).map((meaning, index) => (
                <CurlLine key={commands[index]} meaning={meaning} />
              ))}
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
            placeholder={queue?.folder ?? settings?.downloadFolder}
            chooseLabel={t('add.choose')}
            onChange={(folder) => set({ folder })}
          />
        )}
      </Field>
      <div className="field-columns">
        {queues.length > 1 && (
          <SelectField
            label={t('detail.queue')}
            value={queueId}
            options={queues.map(({ id, name }) => [id, name])}
            onChange={(id) => set({ queueId: id })}
          />
        )}
        <StartField
          label={t('start.label')}
          value={draft.start}
          placeholder={t('start.now')}
          onChange={(start) => set({ start })}
        />
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
              placeholder={settings ? String(queue?.connections ?? settings.connectionsPerDownload) : undefined}
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
      {lone && (
        <Field
          label={t('add.mirrors')}
          hint={t('add.mirrorsHint')}
          problem={wrongMirror ? t('add.mirrorsInvalid', { line: wrongMirror.line }) : null}
        >
          {(control) => (
            <textarea
              {...control}
              className="input add-mirrors"
              rows={2}
              value={draft.mirrors}
              spellCheck={false}
              autoComplete="off"
              wrap="off"
              onChange={(event) => set({ mirrors: event.target.value })}
            />
          )}
        </Field>
      )}
      <MetalinkFiles />
      <details>
        <summary>{t('add.login')}</summary>
        <p className="field-hint">{t('add.loginHint')}</p>
        <div className="field-columns">
          {(['user', 'password', 'bearer'] as const).map((key) => (
            <Field key={key} label={t(`add.${key}`)}>
              {(control) => (
                <input
                  {...control}
                  className="input"
                  type={key === 'user' ? 'text' : 'password'}
                  value={draft[key]}
                  spellCheck={false}
                  autoComplete="off"
                  onChange={(event) => set({ [key]: event.target.value })}
                />
              )}
            </Field>
          ))}
        </div>
      </details>
      <div className="add-how">
        <label className="check">
          <input type="checkbox" checked={draft.paused} onChange={(event) => set({ paused: event.target.checked })} />
          {t('add.paused')}
        </label>
        {lone && good[0] && (
          <button
            type="button"
            className="button button-small"
            onClick={() => addRepeat({ url: good[0]!.text, folder: draft.folder, queueId, options: options() })}
          >
            <Icon name="retry" />
            {t('add.everyNight')}
          </button>
        )}
      </div>
      {failure !== null && (
        <p className="field-problem" role="alert">
          {failure} {t('add.keptDraft')}
        </p>
      )}
    </Dialog>
  )
}

/** A line of links; `more`: mirrors from their own field. */
function itemOf({ text, mirrors }: LinkLine, more: readonly LinkLine[]): AddItem {
  const all = [...mirrors, ...more.map((line) => line.text)].map(mirrorOf)
  return { url: text, ...(all.length > 0 && { mirrors: all }) }
}

/** What one pasted cURL command will ask, or why it cannot be used. */
function CurlLine({ meaning }: { meaning: CurlMeaning }) {
  const { t } = useTranslation()
  if (meaning.kind === 'wrong') return <p className="field-problem">{meaning.error.message}</p>
  if (meaning.kind === 'pending') return <p className="field-hint">{t('add.curl.pending')}</p>
  return meaning.items.map(({ url, options }) => (
    <p key={url} className="field-hint">
      {t(options?.body ? 'add.curl.withBody' : 'add.curl.request', {
        method: options?.method ?? 'GET',
        host: URL.parse(url)?.host ?? url,
      })}
    </p>
  ))
}
