/** What has to be known about the list: stays until somebody has read it. */
import { useTranslation } from 'react-i18next'
import { noticeSentence } from '../../shared/notices.ts'
import { dismissNotice } from '../actions.ts'
import { en } from '../i18n/en.ts'
import { useNotices } from '../session.ts'

export function Notices() {
  const { t } = useTranslation()
  const notices = useNotices((state) => state.notices)
  return notices.map((notice) => (
    <div key={notice.id} role="alert" className="banner">
      <span className="banner-text selectable">{noticeSentence(notice, en.notices)}</span>
      <button type="button" className="button button-small" onClick={() => dismissNotice(notice.id)}>
        {t('toast.dismiss')}
      </button>
    </div>
  ))
}
