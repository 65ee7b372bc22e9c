/** The drafts of queues and rules while the settings are open: fetched once, saved with the other settings. */
import { useEffect, useState } from 'react'
import type { QueueView } from '../../../shared/queues.ts'
import { DEFAULT_QUEUE_ID } from '../../../shared/schemas.ts'
import { tellError } from '../../actions.ts'
import { call } from '../../session.ts'
import {
  type QueueDraft,
  queueDrafts,
  queuePatch,
  queueProblem,
  type RuleDraft,
  readLimit,
  readRule,
  ruleDraft,
} from './limits-form.ts'

export interface LimitsForm {
  /** null: not fetched yet */
  queues: QueueDraft[] | null
  rules: RuleDraft[] | null
  setQueues(queues: QueueDraft[]): void
  setRules(rules: RuleDraft[]): void
  newKey(): number
  hasProblems: boolean
  /** sends what is new; true: something was */
  save(): Promise<boolean>
}

interface Stored {
  queues: readonly QueueView[]
  patterns: readonly string[]
}

let lastKey = 1_000_000

export function useLimitsForm(): LimitsForm {
  const [stored, setStored] = useState<Stored | null>(null)
  const [queues, setQueues] = useState<QueueDraft[] | null>(null)
  const [rules, setRules] = useState<RuleDraft[] | null>(null)

  const fetch = async (): Promise<void> => {
    const [queueList, ruleList] = await Promise.all([call('queues.list'), call('hostRules.list')])
    setStored({ queues: queueList, patterns: ruleList.map(({ pattern }) => pattern) })
    setQueues(queueDrafts(queueList))
    setRules(ruleList.map((rule) => ruleDraft(newKey(), rule)))
  }
  useEffect(() => {
    fetch().catch(tellError)
  }, [])

  const newKey = (): number => ++lastKey

  const save = async (): Promise<boolean> => {
    if (stored === null || queues === null || rules === null) return false
    let sent = 0
    try {
      for (const { id } of stored.queues) {
        if (id === DEFAULT_QUEUE_ID || queues.some((draft) => draft.id === id)) continue
        await call('queues.remove', { id })
        sent++
      }
      for (const draft of queues) {
        const before = stored.queues.find((queue) => queue.id === draft.id)
        if (before === undefined) {
          await call('queues.add', { name: draft.name.trim(), limitBytesPerSecond: readLimit(draft.limit) ?? null })
          sent++
          continue
        }
        const patch = queuePatch(draft, before)
        if (patch === null) continue
        await call('queues.update', { id: before.id, patch })
        sent++
      }
      for (const pattern of stored.patterns) {
        if (rules.some((draft) => draft.stored?.pattern === pattern)) continue
        await call('hostRules.remove', { pattern })
        sent++
      }
      for (const draft of rules) {
        const read = readRule(draft)
        if ('problem' in read || Object.keys(read.patch).length === 0) continue
        await call('hostRules.set', read)
        sent++
      }
    } catch (error) {
      // What was taken until then is taken: the drafts begin again from there.
      if (sent > 0) await fetch()
      throw error
    }
    return sent > 0
  }

  return {
    queues,
    rules,
    setQueues,
    setRules,
    newKey,
    hasProblems:
      (queues?.some((draft) => queueProblem(draft, queues) !== null) ?? false) ||
      (rules?.some((draft) => 'problem' in readRule(draft)) ?? false),
    save,
  }
}
