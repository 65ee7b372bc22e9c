/** The drafts of rules for hosts while the settings are open: fetched once, saved with the other settings. */
import { useEffect, useState } from 'react'
import { tellError } from '../../actions.ts'
import { call } from '../../session.ts'
import { type RuleDraft, readRule, ruleDraft } from './limits-form.ts'

export interface LimitsForm {
  /** null: not fetched yet */
  rules: RuleDraft[] | null
  setRules(rules: RuleDraft[]): void
  newKey(): number
  hasProblems: boolean
  /** sends what is new; true: something was */
  save(): Promise<boolean>
}

let lastKey = 1_000_000

export function useLimitsForm(): LimitsForm {
  /** patterns of the rules there are */
  const [stored, setStored] = useState<readonly string[] | null>(null)
  const [rules, setRules] = useState<RuleDraft[] | null>(null)

  const fetch = async (): Promise<void> => {
    const ruleList = await call('hostRules.list')
    setStored(ruleList.map(({ pattern }) => pattern))
    setRules(ruleList.map((rule) => ruleDraft(newKey(), rule)))
  }
  useEffect(() => {
    fetch().catch(tellError)
  }, [])

  const newKey = (): number => ++lastKey

  const save = async (): Promise<boolean> => {
    if (stored === null || rules === null) return false
    let sent = 0
    try {
      for (const pattern of stored) {
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
    rules,
    setRules,
    newKey,
    hasProblems: rules?.some((draft) => 'problem' in readRule(draft)) ?? false,
    save,
  }
}
