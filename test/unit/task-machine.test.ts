/** The life of a task: the rules one by one, then any sequence of events against them. */

import { describe, expect, it } from 'vitest'
import {
  type Effect,
  type MachineState,
  QUEUED,
  type TaskEvent,
  transition,
} from '../../electron/engine/task-machine.ts'
import type { ErrorInfo } from '../../shared/errors.ts'
import { TASK_STATES, type TaskState } from '../../shared/task-state.ts'
import fc from '../helpers/property.ts'

const error: ErrorInfo = { code: 'stalled', message: 'The server stopped sending.', params: {} }
const EVENTS: readonly TaskEvent[] = [
  { kind: 'admitted' },
  { kind: 'progressed' },
  { kind: 'transferred' },
  { kind: 'published' },
  { kind: 'failed', error, retryAt: null },
  { kind: 'failed', error, retryAt: 1000 },
  { kind: 'secondChance', error, retryAt: 1000 },
  { kind: 'excused', error, retryAt: 1000 },
  { kind: 'released' },
  { kind: 'remoteChanged', error },
  { kind: 'suspended', error },
  { kind: 'mended' },
  { kind: 'postponed', retryAt: 2000 },
  { kind: 'pause' },
  { kind: 'resume' },
  { kind: 'retry' },
  { kind: 'retryDue' },
  { kind: 'startOver' },
  { kind: 'decideRestart' },
  { kind: 'decideKeep' },
  { kind: 'drained' },
  { kind: 'recovered' },
  { kind: 'damaged', error },
]

const at = (state: TaskState, more: Partial<MachineState> = {}): MachineState => ({ ...QUEUED, state, ...more })
const after = (state: TaskState, event: TaskEvent) => transition(at(state, { error, attempts: 2 }), event)

/** Every move there is: state -> event (`failed+retry` with a time) -> state. What is missing is ignored. */
const MOVES: Record<TaskState, Record<string, TaskState>> = {
  queued: { admitted: 'active', postponed: 'waiting', pause: 'paused', suspended: 'paused' },
  active: {
    progressed: 'active',
    transferred: 'finishing',
    failed: 'failed',
    'failed+retry': 'waiting',
    remoteChanged: 'changed',
    secondChance: 'waiting',
    suspended: 'paused',
    postponed: 'waiting',
    pause: 'paused',
    drained: 'queued',
    recovered: 'queued',
  },
  waiting: {
    postponed: 'waiting',
    pause: 'paused',
    suspended: 'paused',
    retry: 'queued',
    retryDue: 'queued',
    excused: 'waiting',
    released: 'queued',
  },
  paused: { postponed: 'waiting', resume: 'queued', retry: 'queued', startOver: 'queued' },
  changed: { decideRestart: 'queued', decideKeep: 'paused', excused: 'waiting' },
  finishing: {
    published: 'done',
    failed: 'failed',
    'failed+retry': 'waiting',
    secondChance: 'waiting',
    suspended: 'paused',
    drained: 'queued',
    recovered: 'queued',
  },
  done: { damaged: 'queued' },
  failed: { postponed: 'waiting', resume: 'queued', retry: 'queued', startOver: 'queued', excused: 'waiting' },
}

describe('one event', () => {
  const pairs = TASK_STATES.flatMap((state) => EVENTS.map((event) => ({ state, event })))

  it.each(pairs)('$event.kind in $state', ({ state, event }) => {
    const name = event.kind === 'failed' && event.retryAt !== null ? 'failed+retry' : event.kind
    const before = at(state, { attempts: 1 })
    const result = transition(before, event)
    const expected = MOVES[state][name]
    if (expected === undefined) {
      expect(result).toEqual({ state: before, effects: [], ignored: true })
      expect(result.state).toBe(before)
    } else {
      expect(result.ignored).toBeUndefined()
      expect(result.state.state).toBe(expected)
      expect(result.effects).toContain('persist')
    }
  })

  it('counts failures until something comes, or until the user speaks', () => {
    expect(after('active', { kind: 'failed', error, retryAt: 5 }).state).toMatchObject({ attempts: 3, retryAt: 5 })
    expect(after('waiting', { kind: 'retryDue' }).state).toMatchObject({ attempts: 2, retryAt: null, error })
    expect(after('queued', { kind: 'admitted' }).state).toMatchObject({ attempts: 2, error: null })
    expect(after('active', { kind: 'progressed' }).state.attempts).toBe(0)
    for (const event of [{ kind: 'resume' }, { kind: 'retry' }] as const) {
      expect(after('failed', event).state).toEqual(QUEUED)
    }
  })

  it('says why it stopped by itself, and nothing when the user stopped it', () => {
    expect(after('active', { kind: 'suspended', error }).state).toEqual(at('paused', { error, attempts: 2 }))
    expect(after('active', { kind: 'pause' }).state.error).toBeNull()
    expect(after('changed', { kind: 'decideKeep' }).state.error).toBe(error)
  })

  it('goes on by itself where it stopped by itself, unless the user has spoken since', () => {
    const suspended = at('paused', { error, attempts: 2 })
    expect(transition(suspended, { kind: 'mended' }).state).toMatchObject({ state: 'queued', attempts: 2 })
    const paused = transition(suspended, { kind: 'pause' }).state
    expect(paused).toEqual(at('paused', { attempts: 2 }))
    expect(transition(paused, { kind: 'mended' }).ignored).toBe(true)
  })

  it('forgets bytes only when told to start over', () => {
    for (const { state, event } of pairs) {
      const clears = transition(at(state), event).effects.includes('clearProgress')
      expect(clears, `${event.kind} in ${state}`).toBe(
        (state === 'changed' && event.kind === 'decideRestart') ||
          ((state === 'paused' || state === 'failed') && event.kind === 'startOver'),
      )
    }
  })
})

/** Carries out effects as the engine would, and complains when two of them contradict each other. */
class Shell {
  transferring = false
  retryScheduled = false
  stored: MachineState = QUEUED
  said: TaskState = 'queued'

  apply(before: MachineState, event: TaskEvent, after: MachineState, effects: Effect[]): void {
    // These are news that the transfer, or the timer, has come to its end by itself.
    if (['transferred', 'failed', 'secondChance', 'remoteChanged', 'recovered'].includes(event.kind))
      this.transferring = false
    if (event.kind === 'retryDue') this.retryScheduled = false
    for (const effect of effects) this.carryOut(effect, before, after)
  }

  carryOut(effect: Effect, before: MachineState, after: MachineState): void {
    switch (effect) {
      case 'startTransfer':
        expect(this.transferring).toBe(false)
        expect(this.stored).toEqual(after)
        this.transferring = true
        break
      case 'stopTransfer':
        expect(this.transferring).toBe(true)
        this.transferring = false
        break
      case 'scheduleRetry':
        expect(this.retryScheduled).toBe(false)
        expect(after.retryAt).not.toBeNull()
        this.retryScheduled = true
        break
      case 'cancelRetry':
        expect(this.retryScheduled).toBe(true)
        this.retryScheduled = false
        break
      case 'publish':
        expect([before.state, after.state]).toEqual(['active', 'finishing'])
        break
      case 'persist':
        this.stored = after
        break
      case 'announce':
        this.said = after.state
        break
      case 'clearProgress':
        expect(this.transferring).toBe(false)
        break
    }
  }
}

describe('any sequence of events', () => {
  it('keeps transfers, timers, the store and the listeners in step with the state', () => {
    fc.assert(
      fc.property(fc.array(fc.constantFrom(...EVENTS), { maxLength: 60 }), (events) => {
        const shell = new Shell()
        let current = QUEUED
        for (const event of events) {
          const { state, effects, ignored } = transition(current, event)
          if (ignored) {
            expect(effects).toEqual([])
            expect(state).toBe(current)
            continue
          }
          shell.apply(current, event, state, effects)
          current = state
          expect(shell.transferring).toBe(current.state === 'active')
          expect(shell.retryScheduled).toBe(current.state === 'waiting')
          expect(current.retryAt !== null).toBe(current.state === 'waiting')
          expect(shell.stored).toEqual(current)
          expect(shell.said).toBe(current.state)
          if (['failed', 'changed'].includes(current.state)) expect(current.error).not.toBeNull()
          // Whoever waits without a failure was put off by the user.
          if (current.state === 'waiting' && current.error === null) expect(current.attempts).toBe(0)
          if (['active', 'finishing', 'done'].includes(current.state)) expect(current.error).toBeNull()
        }
      }),
      { numRuns: 2000 },
    )
  })

  it('can still end in done, by some sequence, from wherever it is', () => {
    const reachable = (from: TaskState): Set<TaskState> => {
      const seen = new Set<TaskState>([from])
      for (const state of seen) for (const event of EVENTS) seen.add(transition(at(state), event).state.state)
      return seen
    }
    for (const state of TASK_STATES) expect(reachable(state), state).toContain('done')
  })
})
