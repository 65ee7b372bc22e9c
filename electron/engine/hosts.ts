/**
 * Hosts as the rest of the engine and the contract see them: the rules of the user, the places that host-controller.ts
 * gives, and what it learned, kept in the store.
 */
import type { Contract } from '../../shared/contract.ts'
import { NighthaulError } from '../../shared/errors.ts'
import type { HostRulePatch, HostRuleView, HostView } from '../../shared/host-schemas.ts'
import type { Handlers } from '../../shared/rpc.ts'
import type { Settings } from '../../shared/schemas.ts'
import { FORGET_MS, HostController } from './host-controller.ts'
import {
  changedRule,
  type HostLimits,
  type HostRules,
  limitsFor,
  matchingRules,
  normalizePattern,
  rulesWithoutSecrets,
} from './host-rules.ts'
import type { EngineDeps } from './ports.ts'

type HostHandlers = Pick<
  Handlers<Contract>,
  'hosts.list' | 'hosts.forget' | 'hostRules.list' | 'hostRules.set' | 'hostRules.remove'
>

export interface HostsDeps extends Pick<EngineDeps, 'store' | 'clock'> {
  settings: () => Settings
  /** connections that the profile that holds leaves a host; null: it says nothing of that */
  mostConnections: () => number | null
  /** rules are others now */
  changed: () => void
}

export class Hosts {
  readonly controller: HostController
  readonly #deps: HostsDeps
  #rules: HostRules

  constructor(deps: HostsDeps) {
    this.#deps = deps
    this.#rules = deps.store.hostRules()
    this.controller = new HostController(deps.clock, (host) => this.limits(host))
    this.controller.restore(deps.store.hosts(deps.clock.now() - FORGET_MS))
  }

  get rules(): HostRules {
    return this.#rules
  }

  /** Rules were changed by somebody else. */
  reload(): void {
    this.#rules = this.#deps.store.hostRules()
    this.#deps.changed()
  }

  limits(host: string): HostLimits {
    return limitsFor(host, this.#rules, this.#deps.settings(), this.#deps.mostConnections() ?? undefined)
  }

  /** Stores what was learned since the last time. */
  save(): void {
    const records = this.controller.takeChanged()
    if (records.length === 0) return
    try {
      this.#deps.store.saveHosts(records, this.#deps.clock.now() - FORGET_MS)
    } catch (error) {
      this.controller.keepChanged(records)
      throw error
    }
  }

  get handlers(): HostHandlers {
    return {
      'hosts.list': () => this.#list(),
      'hosts.forget': ({ host }) => {
        this.#deps.store.forgetHost(host)
        const forgotten = this.controller.forget(host)
        if (forgotten) this.#deps.changed()
        return { forgotten }
      },
      'hostRules.list': () => this.#rules.map(rulesWithoutSecrets),
      'hostRules.set': ({ pattern, patch }) => this.#set(normalizePattern(pattern), patch),
      'hostRules.remove': ({ pattern }) => {
        const removed = this.#deps.store.removeHostRule(normalizePattern(pattern))
        this.#read()
        return { removed }
      },
    }
  }

  #list(): HostView[] {
    return this.controller
      .states()
      .map(({ complaints, ...state }) => {
        const { connections: most, ...limits } = this.limits(state.host)
        const patterns = matchingRules(state.host, this.#rules).map(({ pattern }) => pattern)
        return { ...state, ...limits, most, complaint: complaints, patterns }
      })
      .sort((a, b) => b.connections - a.connections || a.host.localeCompare(b.host))
  }

  #set(pattern: string, patch: HostRulePatch): HostRuleView {
    const before = this.#rules.find((rule) => rule.pattern === pattern) ?? { pattern }
    const rule = changedRule(before, patch)
    if (rule === null)
      throw new NighthaulError(
        'invalid_input',
        `The rule for “${pattern}” would say nothing. Nothing was changed; remove it instead.`,
        { pattern },
      )
    this.#deps.store.setHostRule(rule)
    this.#read()
    return rulesWithoutSecrets(rule)
  }

  #read(): void {
    this.#rules = this.#deps.store.hostRules()
    this.#deps.changed()
  }
}
