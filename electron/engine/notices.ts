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

  /** Beside others of this kind. */
  add(code: NoticeCode, params: ErrorParams): void {
    this.#deps.store.addNotice({ at: this.#deps.clock.now(), code, params })
    this.#tell()
  }

  /** Those of a kind that say this are over. */
  dropWhere(code: NoticeCode, params: ErrorParams): void {
    const says = (notice: Notice) => Object.entries(params).every(([key, value]) => notice.params[key] === value)
    const over = this.#deps.store.notices().filter((notice) => notice.code === code && says(notice))
    for (const { id } of over) this.#deps.store.dismissNotice(id)
    if (over.length > 0) this.#tell()
  }

  /** In place of earlier ones of this kind. */
  replace(code: NoticeCode, params: ErrorParams): void {
    const { store, clock } = this.#deps
    store.dropNotices(code)
    store.addNotice({ at: clock.now(), code, params })
    this.#tell()
  }

  /** In place of earlier ones of these kinds about the same thing, which a param tells; null: there is nothing to say. */
  replaceAbout(
    codes: readonly NoticeCode[],
    about: [param: string, value: string | number],
    notice: { code: NoticeCode; params: ErrorParams } | null,
  ): void {
    const { store, clock } = this.#deps
    const [param, value] = about
    const earlier = store.notices().filter(({ code, params }) => codes.includes(code) && params[param] === value)
    for (const { id } of earlier) store.dismissNotice(id)
    if (notice) store.addNotice({ at: clock.now(), ...notice })
    if (notice || earlier.length > 0) this.#tell()
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
