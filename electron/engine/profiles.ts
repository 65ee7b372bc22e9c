/** Profiles as they are stored, chosen and told of. Which one holds is profile-choice.ts's to say. */
import type { Contract } from '../../shared/contract.ts'
import { PROFILE_NAMES, type ProfileLimits, type ProfilesView } from '../../shared/profiles.ts'
import type { Handlers } from '../../shared/rpc.ts'
import type { Settings } from '../../shared/schemas.ts'
import type { EngineDeps } from './ports.ts'
import {
  type CurrentProfile,
  currentProfile,
  effectiveSettings,
  type Profiles as ProfileTable,
  profilesAhead,
  profilesOf,
  scheduledProfile,
} from './profile-choice.ts'
import { systemTimeZone, timeZone } from './window-times.ts'

export interface ProfilesDeps extends Pick<EngineDeps, 'clock'> {
  store: Pick<EngineDeps['store'], 'scheduleState' | 'setScheduleState'>
  /** as stored */
  settings: () => Settings
  /** another profile holds, or says something else */
  changed: () => void
}

export class Profiles {
  readonly #deps: ProfilesDeps
  readonly listeners = new Set<(view: ProfilesView) => void>()
  #profiles: ProfileTable
  #current: CurrentProfile
  /** when it began to hold, as far as is known */
  #since: number

  constructor(deps: ProfilesDeps) {
    this.#deps = deps
    this.#since = deps.clock.now()
    this.#profiles = profilesOf(deps.store.scheduleState().profiles)
    this.#current = this.#find()
  }

  /** Settings as they hold now. */
  applied(settings: Settings): Settings {
    return effectiveSettings(settings, this.#profiles[this.#current.name])
  }

  /** What the one that holds says itself. */
  get limits(): ProfileLimits {
    return this.#profiles[this.#current.name]
  }

  /** of the one that holds */
  get name(): string {
    return this.#current.name
  }

  /** Settings as they will hold, as far as the times and choices made so far say: from when each, ascending. */
  ahead(settings: Settings, now: number, until: number): { from: number; settings: Settings }[] {
    const { profileChoice } = this.#deps.store.scheduleState()
    return profilesAhead(this.#profiles, profileChoice, systemTimeZone, now, until).map(({ from, name }) => ({
      ...{ from, settings: effectiveSettings(settings, this.#profiles[name]) },
    }))
  }

  /** A step of the clockwork: another one may hold by now. */
  look(): void {
    const now = this.#deps.clock.now()
    // Between two changes nothing changes; but a clock may be set back.
    if (now >= this.#since && now < (this.#current.until ?? Infinity)) return
    const before = this.#current
    this.#current = this.#find()
    if (JSON.stringify(before) !== JSON.stringify(this.#current)) this.#told()
  }

  /** The clock was set back by so much (ms): what was chosen for a while holds no longer for that. */
  setBack(ms: number): void {
    const { profileChoice: choice } = this.#deps.store.scheduleState()
    if (choice === null || choice.until === null) return
    const until = choice.kind === 'time' ? Math.max(1, choice.until - ms) : this.#untilChange()
    this.#deps.store.setScheduleState({ profileChoice: { ...choice, until } })
    this.reload()
  }

  /** Until the schedule changes, as it is now. */
  #untilChange(): number | null {
    const { store, clock } = this.#deps
    return scheduledProfile(profilesOf(store.scheduleState().profiles), systemTimeZone, clock.now()).until
  }

  #find(): CurrentProfile {
    this.#since = this.#deps.clock.now()
    const { profileChoice } = this.#deps.store.scheduleState()
    return currentProfile(this.#profiles, profileChoice, systemTimeZone, this.#since)
  }

  #told(): void {
    this.#deps.changed()
    const view = this.view()
    for (const listener of this.listeners) listener(view)
  }

  /** The store, or the settings that they build on, are others now. */
  reload(): void {
    this.#profiles = profilesOf(this.#deps.store.scheduleState().profiles)
    this.#current = this.#find()
    this.#told()
  }

  /** The one that will hold at an instant, if nobody chooses another. */
  at(instant: number): CurrentProfile {
    return currentProfile(this.#profiles, this.#deps.store.scheduleState().profileChoice, systemTimeZone, instant)
  }

  view(): ProfilesView {
    const { limitBytesPerSecond, downloadsAtOnce, connectionsPerHost, connectionsPerDownload } = this.applied(
      this.#deps.settings(),
    )
    return {
      current: this.#current,
      scheduled: scheduledProfile(this.#profiles, systemTimeZone, this.#deps.clock.now()).name,
      effective: { limitBytesPerSecond, downloadsAtOnce, connectionsPerHost, connectionsPerDownload },
      profiles: PROFILE_NAMES.map((name) => ({ name, ...this.#profiles[name] })),
    }
  }

  get handlers(): Pick<Handlers<Contract>, 'profiles.list' | 'profiles.set' | 'profiles.use'> {
    const { store } = this.#deps
    return {
      'profiles.list': () => {
        this.look()
        return this.view()
      },
      'profiles.set': ({ name, patch }) => {
        const zone = patch.timeZone && timeZone(patch.timeZone)
        const { profiles, profileChoice } = store.scheduleState()
        store.setScheduleState({
          profiles: { ...profiles, [name]: { ...profiles[name], ...patch, ...(zone && { timeZone: zone }) } },
        })
        const timesChanged = patch.windows !== undefined || patch.timeZone !== undefined
        if (timesChanged && profileChoice?.kind === 'change')
          store.setScheduleState({ profileChoice: { ...profileChoice, until: this.#untilChange() } })
        this.reload()
        return this.view()
      },
      'profiles.use': ({ name, until }) => {
        store.setScheduleState({
          profileChoice: name && {
            name,
            kind: typeof until === 'number' ? 'time' : until,
            until: typeof until === 'number' ? until : until === 'change' ? this.#untilChange() : null,
          },
        })
        this.reload()
        return this.view()
      },
    }
  }
}
