/** Links that come by paste, drop or key, anywhere in the window, open the Add dialog with them in it. */
import { useEffect, useState } from 'react'
import { useTranslation } from 'react-i18next'
import { openAdd, useWindow } from '../../stores/window.ts'
import { hasCurl } from './curl.ts'
import { findChecksums, findLinks } from './links.ts'
import { chooseMetalinks, isMetalink } from './metalink.tsx'

function isEditable(target: EventTarget | null): boolean {
  return target instanceof Element && target.closest('input, textarea, select, [contenteditable]') !== null
}

function linksIn(data: DataTransfer | null): string[] {
  if (data === null) return []
  const text = data.getData('text/plain')
  if (hasCurl(text)) return [text]
  // text/uri-list may carry comment lines; they hold no links.
  const links = findLinks(data.getData('text/uri-list') || text)
  return links.length > 0 ? [...links, ...findChecksums(text)] : []
}

export function IncomingLinks() {
  const { t } = useTranslation()
  const [dragging, setDragging] = useState(false)
  useEffect(() => {
    const listening = new AbortController()
    const options = { signal: listening.signal }
    const canTake = (): boolean => {
      const { dialog } = useWindow.getState()
      return dialog === null || dialog.kind === 'add'
    }
    window.addEventListener(
      'paste',
      (event) => {
        const links = linksIn(event.clipboardData)
        if (isEditable(event.target) || !canTake() || links.length === 0) return
        event.preventDefault()
        openAdd(links.join('\n'))
      },
      options,
    )
    window.addEventListener(
      'keydown',
      (event) => {
        if (event.defaultPrevented || event.altKey || useWindow.getState().dialog !== null) return
        const modified = event.ctrlKey || event.metaKey
        if (event.key.toLowerCase() === 'n' && (modified || !isEditable(event.target)) && !event.shiftKey) openAdd()
        else if (event.key.toLowerCase() === 'f' && modified) document.getElementById('search')?.focus()
        else return
        event.preventDefault()
      },
      options,
    )
    window.addEventListener(
      'dragover',
      (event) => {
        const types = event.dataTransfer?.types ?? []
        if (!['text/uri-list', 'text/plain', 'Files'].some((type) => types.includes(type))) return
        if (!canTake() || isEditable(event.target)) return
        event.preventDefault()
        setDragging(true)
      },
      options,
    )
    window.addEventListener(
      'dragleave',
      (event) => {
        // Leaving the window, not passing from one element to another.
        if (event.relatedTarget === null) setDragging(false)
      },
      options,
    )
    window.addEventListener(
      'drop',
      (event) => {
        setDragging(false)
        if (isEditable(event.target)) return
        // Otherwise the browser would leave for the dropped link.
        event.preventDefault()
        const metalinks = [...(event.dataTransfer?.files ?? [])].filter(isMetalink)
        if (metalinks.length > 0 && canTake()) {
          openAdd()
          void chooseMetalinks(metalinks)
          return
        }
        const links = linksIn(event.dataTransfer)
        if (links.length > 0 && canTake()) openAdd(links.join('\n'))
      },
      options,
    )
    return () => listening.abort()
  }, [])
  return dragging ? <div className="drop-hint">{t('drop.hint')}</div> : null
}
