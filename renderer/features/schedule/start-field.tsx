/** A field for when something starts: typed, or chosen from a few ideas; it says what it has understood. */
import { useTranslation } from 'react-i18next'
import { Field } from '../../ui/field.tsx'
import { useNow } from '../../ui/use-now.ts'
import { clockText } from './queue-words.ts'
import { readStart, START_IDEAS } from './start-time.ts'

export function StartField(props: {
  label: string
  value: string
  /** what an empty field means */
  placeholder: string
  onChange: (value: string) => void
}) {
  const { t } = useTranslation()
  const now = useNow()
  const read = readStart(props.value, now)
  const problem = 'problem' in read ? t(`start.${read.problem}`) : null
  const at = 'at' in read ? read.at : null
  const hint = at === null ? t('start.hint') : t('row.startsAt', { time: clockText(at, now) })
  return (
    <Field label={props.label} hint={hint} problem={problem}>
      {(control) => (
        <>
          <input
            {...control}
            className="input"
            list={`${control.id}-ideas`}
            value={props.value}
            placeholder={props.placeholder}
            spellCheck={false}
            autoComplete="off"
            onChange={(event) => props.onChange(event.target.value)}
          />
          <StartIdeas id={`${control.id}-ideas`} />
        </>
      )}
    </Field>
  )
}

export function StartIdeas({ id }: { id: string }) {
  return (
    <datalist id={id}>
      {START_IDEAS.map((idea) => (
        <option key={idea} value={idea} />
      ))}
    </datalist>
  )
}
