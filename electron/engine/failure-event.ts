/** The failure of a run as the event that the task machine hears. Pure. */
import type { NighthaulError } from '../../shared/errors.ts'
import { HostQuiet } from './host-refusals.ts'
import { retryDecision } from './retry-policy.ts'
import type { TaskEvent } from './task-machine.ts'

/** How often a task begins anew by itself: a server whose file is another one with every reply never ends. */
export const MAX_RESTARTS = 3

export interface FailureSituation {
  /** failures before this one, since the last progress */
  attempts: number
  maxRetries: number
  /** epoch ms */
  now: number
  /** [0, 1) */
  random: number
}

/** A `remote_changed` comes here only where nothing is held: there is nothing to decide, the next try begins anew. */
export function eventOfFailure(error: NighthaulError, situation: FailureSituation): TaskEvent {
  const { attempts, maxRetries, now, random } = situation
  const info = error.toInfo()
  const { retryAfterMs } = info.params
  if (error instanceof HostQuiet) return { kind: 'deferred', error: info, retryAt: now + Math.ceil(error.quietMs) }
  const decision = retryDecision({
    error: info,
    attempt: attempts + 1,
    maxRetries,
    retryAfterMs: typeof retryAfterMs === 'number' ? retryAfterMs : null,
    random,
  })
  switch (decision.action) {
    case 'retry':
      return { kind: 'failed', error: info, retryAt: now + decision.delayMs }
    case 'pause':
      return { kind: 'suspended', error: info }
    case 'changed':
      if (attempts >= MAX_RESTARTS) return { kind: 'remoteChanged', error: info }
      return { kind: 'failed', error: info, retryAt: now + Math.round(random * 1000) }
    case 'give-up':
      return { kind: 'failed', error: info, retryAt: null }
  }
}
