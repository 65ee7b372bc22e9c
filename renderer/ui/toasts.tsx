/** Short messages at the corner of the window. */
import { Toast } from '@base-ui/react/toast'
import { useTranslation } from 'react-i18next'
import { Icon } from './icon.tsx'
import './toasts.css'

export const toasts = Toast.createToastManager()

export function Toasts() {
  const { t } = useTranslation()
  return (
    <Toast.Provider toastManager={toasts} timeout={6000} limit={3}>
      <Toast.Portal>
        <Toast.Viewport className="toasts" aria-label={t('toast.label')}>
          <ToastList />
        </Toast.Viewport>
      </Toast.Portal>
    </Toast.Provider>
  )
}

function ToastList() {
  const { t } = useTranslation()
  const { toasts: shown } = Toast.useToastManager()
  return shown.map((toast) => (
    <Toast.Root key={toast.id} toast={toast} className="toast" data-kind={toast.type}>
      <Toast.Content className="toast-content">
        <div className="toast-text">
          <Toast.Title className="toast-title" />
          {toast.description && <Toast.Description className="toast-description" />}
        </div>
        {toast.actionProps && <Toast.Action className="button button-small" />}
        <Toast.Close className="icon-button" aria-label={t('toast.dismiss')}>
          <Icon name="close" />
        </Toast.Close>
      </Toast.Content>
    </Toast.Root>
  ))
}
