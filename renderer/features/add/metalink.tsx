/** Metalink files in the Add dialog: chosen or dropped, read by the engine, shown with what they name. */
import { useRef } from 'react'
import { useTranslation } from 'react-i18next'
import { toErrorInfo } from '../../../shared/errors.ts'
import { formatCount } from '../../../shared/format.ts'
import { call } from '../../session.ts'
import { type ChosenMetalink, useWindow } from '../../stores/window.ts'
import { Icon } from '../../ui/icon.tsx'

const ACCEPTED = '.meta4,.metalink,application/metalink4+xml,application/metalink+xml'

export function isMetalink({ name, type }: Pick<File, 'name' | 'type'>): boolean {
  return /\.(meta4|metalink)$/i.test(name) || /^application\/metalink4?\+xml$/.test(type)
}

/** Reads files into the draft; what is wrong with one is kept there to be shown. */
export async function chooseMetalinks(files: readonly File[]): Promise<void> {
  const read = await Promise.all(files.map(readMetalink))
  const names = new Set(read.map(({ name }) => name))
  useWindow.setState(({ addDraft }) => ({
    addDraft: { ...addDraft, metalinks: [...addDraft.metalinks.filter(({ name }) => !names.has(name)), ...read] },
  }))
}

async function readMetalink(file: File): Promise<ChosenMetalink> {
  const { name } = file
  try {
    const { items, skipped } = await call('metalink.parse', { document: await file.text(), name })
    return { name, items, skipped: skipped.length, problem: null }
  } catch (error) {
    return { name, items: [], skipped: 0, problem: toErrorInfo(error).message }
  }
}

export function MetalinkFiles() {
  const { t } = useTranslation()
  const chosen = useWindow((state) => state.addDraft.metalinks)
  const input = useRef<HTMLInputElement>(null)
  const drop = (name: string): void =>
    useWindow.setState(({ addDraft }) => ({
      addDraft: { ...addDraft, metalinks: addDraft.metalinks.filter((other) => other.name !== name) },
    }))
  return (
    <div className="add-metalinks">
      <input
        ref={input}
        type="file"
        accept={ACCEPTED}
        multiple
        hidden
        aria-label={t('add.metalink.choose')}
        onChange={(event) => {
          const files = [...(event.target.files ?? [])]
          event.target.value = ''
          void chooseMetalinks(files)
        }}
      />
      <button type="button" className="button button-small" onClick={() => input.current?.click()}>
        {t('add.metalink.choose')}
      </button>
      <ul className="add-metalink-list" aria-live="polite">
        {chosen.map(({ name, items, skipped, problem }) => (
          <li key={name} className={problem === null ? 'field-hint' : 'field-problem'}>
            <span>
              {problem ??
                [
                  t('add.metalink.names', { name, count: items.length, formatted: formatCount(items.length) }),
                  skipped > 0 && t('add.metalink.skipped', { count: skipped, formatted: formatCount(skipped) }),
                ]
                  .filter(Boolean)
                  .join(' ')}
            </span>
            <button
              type="button"
              className="icon-button"
              aria-label={t('add.metalink.remove', { name })}
              onClick={() => drop(name)}
            >
              <Icon name="close" />
            </button>
          </li>
        ))}
      </ul>
    </div>
  )
}
