/** What is left when drawing the window failed: says so, and offers to begin again. The engine is not touched by it. */
import { Component, type ReactNode } from 'react'
import { texts } from '../i18n/index.ts'

export class CrashScreen extends Component<{ children: ReactNode }, { error: Error | null }> {
  override state: { error: Error | null } = { error: null }

  static getDerivedStateFromError(error: Error): { error: Error } {
    return { error }
  }

  override render(): ReactNode {
    const { error } = this.state
    if (error === null) return this.props.children
    return (
      <div className="crash" role="alert">
        <h1 className="crash-title">{texts.t('crash.title')}</h1>
        <p>{texts.t('crash.body')}</p>
        <pre className="mono selectable">{error.stack ?? error.message}</pre>
        <button type="button" className="button button-primary" onClick={() => location.reload()}>
          {texts.t('crash.reload')}
        </button>
      </div>
    )
  }
}
