/** What people are told until they have read it, and who hears of it at once. */
import type { Contract } from '../../shared/contract.ts'
import type { ErrorParams } from '../../shared/errors.ts'
import type { Notice, NoticeCode } from '../../shared/notices.ts'
import type { Handlers } from '../../shared/rpc.ts'
import type { EngineDeps } from './ports.ts'

export class Notices {
  readonly #deps: Pick<EngineDeps, 'store' | 'clock'>
  readonly listeners = new Set<(notices: Notice[]) => void>()

  constructor(deps: Pick<EngineDeps, 'store' | 'clock'>) {
    this.#deps = deps
  }

  /** In place of earlier ones of this kind. */
  replace(code: NoticeCode, params: ErrorParams): void {
    const { store, clock } = this.#deps
    store.dropNotices(code)
    store.addNotice({ at: clock.now(), code, params })
    this.#tell()
  }

  /** What it told is over. */
  drop(code: NoticeCode): void {
    if (this.#deps.store.dropNotices(code)) this.#tell()
  }

  #tell(): void {
    const notices = this.#deps.store.notices()
    for (const listener of this.listeners) listener(notices)
  }

  get handlers(): Pick<Handlers<Contract>, 'notices.list' | 'notices.dismiss'> {
    return {
      'notices.list': () => this.#deps.store.notices(),
      'notices.dismiss': ({ id }) => {
        const dismissed = this.#deps.store.dismissNotice(id)
        if (dismissed) this.#tell()
        return { dismissed }
      },
    }
  }
}
