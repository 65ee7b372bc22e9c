/** Entry of the window. */
import '../shared/zod-jitless.ts'
import './theme/tokens.css'
import './theme/base.css'
import './theme/controls.css'
import './theme/pages.css'
import './features/queue/toolbar.css'
import './features/queue/list.css'
import { createRoot } from 'react-dom/client'
import { I18nextProvider } from 'react-i18next'
import { App } from './app.tsx'
import { texts } from './i18n/index.ts'
import { startSession } from './session.ts'
import { applyRememberedTheme } from './theme/theme.ts'
import { CrashScreen } from './ui/crash-screen.tsx'

applyRememberedTheme()
startSession()
createRoot(document.getElementById('root')!).render(
  <I18nextProvider i18n={texts}>
    <CrashScreen>
      <App />
    </CrashScreen>
  </I18nextProvider>,
)
