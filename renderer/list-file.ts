/** “Export list…” and “Import…”: a file out of the window, and one into it. */
import { formatCount } from '../shared/format.ts'
import { type ImportResult, importFormat, listFileText } from '../shared/list-file.ts'
import { tellError } from './actions.ts'
import { texts } from './i18n/index.ts'
import { call } from './session.ts'
import { openAdd } from './stores/window.ts'
import { toasts } from './ui/toasts.tsx'

const SHOWN_REFUSALS = 3
const LONG_TOAST_MS = 20_000

/** Without secrets: those leave by the command line alone, where they are asked for by name. */
export async function exportList(): Promise<void> {
  try {
    let leftOut = 0
    const parts: string[] = []
    const ask = (input: { secrets: boolean; after: number }) => call('list.export', input)
    for await (const part of listFileText(ask, false, (count) => {
      leftOut += count
    }))
      parts.push(part)
    save(new Blob(parts, { type: 'application/json' }), `nighthaul-${new Date().toISOString().slice(0, 10)}.json`)
    toasts.add({
      title: texts.t('listFile.exported'),
      description: leftOut > 0 ? texts.t('listFile.secretsLeftOut') : undefined,
    })
  } catch (error) {
    tellError(error)
  }
}

/** As a file of the browser's, where that saves downloads. */
export function save(blob: Blob, name: string): void {
  const link = document.createElement('a')
  link.href = URL.createObjectURL(blob)
  link.download = name
  link.click()
  // The browser has begun to read it by then.
  setTimeout(() => URL.revokeObjectURL(link.href), 60_000)
}

/** Asks for a file. Links are shown in the Add dialog first; a list joins the list there is. */
export function chooseImport(): void {
  const input = document.createElement('input')
  input.type = 'file'
  input.accept = '.json,.txt,.list,application/json,text/plain'
  input.addEventListener('change', () => {
    const [file] = input.files ?? []
    if (file) void importFile(file)
  })
  input.click()
}

async function importFile(file: File): Promise<void> {
  try {
    const text = await file.text()
    switch (importFormat(text)) {
      case 'list':
        return told(await call('list.import', { text }))
      case 'links':
        return openAdd(text)
      case 'metalink':
        toasts.add({ title: texts.t('listFile.unknown', { name: file.name }), type: 'error', priority: 'high' })
    }
  } catch (error) {
    tellError(error)
  }
}

function told({ added, duplicates, refused, refusedInAll }: ImportResult): void {
  const { t } = texts
  const entries = refused
    .slice(0, SHOWN_REFUSALS)
    .map(({ what, position, reason }) => `${t(`listFile.what.${what}`)} ${position}: ${reason}`)
  const lines = [
    duplicates > 0 && t('add.duplicates', { count: duplicates, formatted: formatCount(duplicates) }),
    refusedInAll > 0 && t('listFile.refused', { count: refusedInAll, formatted: formatCount(refusedInAll) }),
    ...entries,
    refusedInAll > entries.length && entries.length > 0 && '…',
  ].filter((line) => line !== false)
  toasts.add({
    title: t('listFile.imported', { count: added, formatted: formatCount(added) }),
    description: lines.join('\n') || undefined,
    type: refusedInAll > 0 ? 'error' : undefined,
    timeout: refusedInAll > 0 ? LONG_TOAST_MS : undefined,
  })
}
