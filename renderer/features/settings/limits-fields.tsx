/** The part of the settings about single hosts: rules that are added, changed and removed. */
import { useState } from 'react'
import { useTranslation } from 'react-i18next'
import { texts } from '../../i18n/index.ts'
import { Field } from '../../ui/field.tsx'
import { Icon } from '../../ui/icon.tsx'
import { RULE_NUMBERS, RULE_TEXTS, type RuleDraft, readRule, ruleDraft } from './limits-form.ts'
import type { LimitsForm } from './use-limits.ts'

export function RuleFields({ form }: { form: LimitsForm }) {
  const { t } = useTranslation()
  const [open, setOpen] = useState<number | null>(null)
  const { rules, setRules } = form
  if (rules === null) return null
  return (
    <fieldset className="settings-group">
      <legend>{t('settings.groups.hosts')}</legend>
      {rules.length > 0 && (
        <div className="limit-rows">
          {rules.map((draft) => (
            <Rule
              key={draft.key}
              draft={draft}
              open={open === draft.key || (draft.stored === null && 'problem' in readRule(draft))}
              onToggle={() => setOpen(open === draft.key ? null : draft.key)}
              onChange={(to) => setRules(rules.map((other) => (other === draft ? { ...draft, ...to } : other)))}
              onRemove={() => setRules(rules.filter((other) => other !== draft))}
            />
          ))}
        </div>
      )}
      <div className="limit-add">
        <button
          type="button"
          className="button button-small"
          onClick={() => {
            const key = form.newKey()
            setRules([...rules, ruleDraft(key, null)])
            setOpen(key)
          }}
        >
          <Icon name="add" />
          {t('settings.addRule')}
        </button>
        <p className="field-hint">{t('settings.rulesHint')}</p>
      </div>
    </fieldset>
  )
}

function Rule(props: {
  draft: RuleDraft
  open: boolean
  onToggle: () => void
  onChange: (to: Partial<RuleDraft>) => void
  onRemove: () => void
}) {
  const { t } = useTranslation()
  const { draft, open, onChange } = props
  const read = readRule(draft)
  const problem = 'problem' in read ? read.problem : null
  const name = draft.pattern || t('settings.newRule')
  const problemOf = (field: typeof problem): string | null =>
    problem === field && field !== null
      ? t(`settings.ruleProblems.${field === 'pattern' || field === 'headers' || field === 'proxy' ? field : 'value'}`)
      : null
  return (
    <div className="rule" data-open={open || undefined}>
      <div className="limit-row">
        <button type="button" className="rule-toggle" aria-expanded={open} onClick={props.onToggle}>
          <Icon name={open ? 'ascending' : 'descending'} />
          <span className="rule-name">{name}</span>
          {!open && <span className="rule-says">{summary(draft)}</span>}
        </button>
        <button
          type="button"
          className="icon-button"
          aria-label={t('settings.removeRule', { name })}
          title={t('settings.removeRule', { name })}
          onClick={props.onRemove}
        >
          <Icon name="remove" />
        </button>
      </div>
      {open && (
        <div className="rule-fields">
          {draft.stored === null && (
            <Field
              label={t('settings.rule.pattern')}
              hint={t('settings.rule.patternHint')}
              problem={draft.pattern === '' ? null : problemOf('pattern')}
            >
              {(control) => (
                <input
                  {...control}
                  className="input"
                  value={draft.pattern}
                  placeholder="*.example.org"
                  spellCheck={false}
                  autoComplete="off"
                  onChange={(event) => onChange({ pattern: event.target.value })}
                />
              )}
            </Field>
          )}
          <div className="field-columns">
            {RULE_NUMBERS.map((field) => (
              <Field key={field} label={t(`settings.rule.${field}`)} problem={problemOf(field)}>
                {(control) => (
                  <span className="field-row">
                    <input
                      {...control}
                      className="input input-number"
                      inputMode="decimal"
                      value={draft[field]}
                      placeholder={t(field === 'limitBytesPerSecond' ? 'settings.limitNone' : 'settings.asSettings')}
                      onChange={(event) => onChange({ [field]: event.target.value })}
                    />
                    {field === 'limitBytesPerSecond' && <span className="unit">{t('settings.limitUnit')}</span>}
                    {field === 'spacingMs' && <span className="unit">{t('settings.seconds')}</span>}
                  </span>
                )}
              </Field>
            ))}
            {RULE_TEXTS.map((field) => (
              <Field key={field} label={t(`settings.rule.${field}`)} problem={problemOf(field)}>
                {(control) => (
                  <input
                    {...control}
                    className="input"
                    value={draft[field]}
                    placeholder={field === 'user' || field === 'referer' ? '' : t('settings.asSettings')}
                    spellCheck={false}
                    autoComplete="off"
                    onChange={(event) => onChange({ [field]: event.target.value })}
                  />
                )}
              </Field>
            ))}
            <Field label={t('settings.rule.password')}>
              {(control) => (
                <input
                  {...control}
                  className="input"
                  type="password"
                  value={draft.password}
                  placeholder={draft.stored?.hasPassword ? t('settings.rule.kept') : ''}
                  autoComplete="new-password"
                  onChange={(event) => onChange({ password: event.target.value })}
                />
              )}
            </Field>
          </div>
          <Field
            label={t('settings.rule.headers')}
            hint={t('settings.rule.headersHint')}
            problem={problemOf('headers')}
          >
            {(control) => (
              <textarea
                {...control}
                className="input mono"
                rows={2}
                value={draft.headers}
                placeholder={
                  draft.stored?.headers && !draft.clearHeaders
                    ? t('settings.rule.headersKept', {
                        names: draft.stored.headers.map(([header]) => header).join(', '),
                      })
                    : 'X-Name: value'
                }
                spellCheck={false}
                autoComplete="off"
                onChange={(event) => onChange({ headers: event.target.value })}
              />
            )}
          </Field>
          {draft.stored?.headers && (
            <label className="check">
              <input
                type="checkbox"
                checked={draft.clearHeaders}
                onChange={(event) => onChange({ clearHeaders: event.target.checked })}
              />
              {t('settings.rule.clearHeaders')}
            </label>
          )}
          {problem === 'empty' && <p className="field-hint">{t('settings.ruleProblems.empty')}</p>}
        </div>
      )}
    </div>
  )
}

/** What a rule says, in one line. */
function summary(draft: RuleDraft): string {
  const { t } = texts
  const fields = [...RULE_NUMBERS, ...RULE_TEXTS].filter((field) => draft[field] !== '')
  const secrets = [
    draft.headers !== '' || (draft.stored?.headers && !draft.clearHeaders) ? t('settings.rule.headers') : null,
    draft.password !== '' || draft.stored?.hasPassword ? t('settings.rule.password') : null,
  ]
  return [...fields.map((field) => `${t(`settings.rule.${field}`)} ${draft[field]}`), ...secrets]
    .filter(Boolean)
    .join(', ')
}
