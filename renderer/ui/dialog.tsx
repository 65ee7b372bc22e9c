/** The frame of every dialog: title, body that scrolls, buttons. Focus, Escape and the backdrop are Base UI's. */
import { Dialog as Base } from '@base-ui/react/dialog'
import { type FormEvent, type ReactNode, type RefObject, useRef, useState } from 'react'
import { flushSync } from 'react-dom'
import { useTranslation } from 'react-i18next'
import { closeDialog } from '../stores/window.ts'
import { listElement } from './focus-list.ts'
import { Icon } from './icon.tsx'
import './dialog.css'

export function Dialog(props: {
  title: string
  description?: string
  /** label of the button that does it; left out where there is nothing to do but look */
  submit?: string
  danger?: boolean
  busy?: boolean
  wide?: boolean | 'wider'
  /** the button that does it, when left out */
  initialFocus?: RefObject<HTMLElement | null>
  onSubmit?: () => void
  children?: ReactNode
}) {
  const { t } = useTranslation()
  const submitButton = useRef<HTMLButtonElement>(null)
  const [cameFrom] = useState(() => document.activeElement)
  const submit = (event: FormEvent<HTMLFormElement>): void => {
    event.preventDefault()
    const form = event.currentTarget
    // What is wrong may be out of sight, and is read aloud where the focus is.
    flushSync(() => {
      if (!props.busy) props.onSubmit?.()
    })
    form.querySelector<HTMLElement>('[aria-invalid="true"]')?.focus()
  }
  return (
    // A press beside it is easily made by accident, and would lose what was typed.
    <Base.Root
      open
      disablePointerDismissal={props.onSubmit !== undefined && !props.danger}
      onOpenChange={(open) => !open && closeDialog()}
    >
      <Base.Portal>
        <Base.Backdrop className="dialog-backdrop" />
        <Base.Popup
          className={['dialog', props.wide && 'dialog-wide', props.wide === 'wider' && 'dialog-wider']
            .filter(Boolean)
            .join(' ')}
          initialFocus={props.initialFocus ?? submitButton}
          finalFocus={() => (canFocus(cameFrom) ? true : listElement())}
        >
          <form className="dialog-form" onSubmit={submit} noValidate>
            <header className="dialog-header">
              <Base.Title className="dialog-title">{props.title}</Base.Title>
              <Base.Close className="icon-button" aria-label={t('dialog.close')}>
                <Icon name="close" />
              </Base.Close>
            </header>
            <div className="dialog-body">
              {props.description && (
                <Base.Description className="dialog-description">{props.description}</Base.Description>
              )}
              {props.children}
            </div>
            <footer className="dialog-footer">
              {props.submit === undefined ? (
                <Base.Close ref={submitButton} className="button">
                  {t('dialog.close')}
                </Base.Close>
              ) : (
                <>
                  <Base.Close className="button">{t('dialog.cancel')}</Base.Close>
                  <button
                    ref={submitButton}
                    type="submit"
                    className={props.danger ? 'button button-danger' : 'button button-primary'}
                    aria-disabled={props.busy || undefined}
                  >
                    {props.submit}
                  </button>
                </>
              )}
            </footer>
          </form>
        </Base.Popup>
      </Base.Portal>
    </Base.Root>
  )
}

/** Nothing had the focus (a key or a pasted link opened the dialog), or what had it is gone: the list takes it. */
function canFocus(element: Element | null): boolean {
  return element !== null && element !== document.body && element.isConnected && !element.matches(':disabled')
}
