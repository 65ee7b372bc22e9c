/** A labelled control with its hint and its problem, tied together for screen readers. */
import { type ReactNode, type Ref, useId } from 'react'

export interface ControlProps {
  id: string
  'aria-describedby': string | undefined
  'aria-invalid': true | undefined
}

export function Field(props: {
  label: string
  hint?: string
  problem?: string | null
  children: (control: ControlProps) => ReactNode
}) {
  const id = useId()
  const hintId = `${id}-hint`
  const problemId = `${id}-problem`
  const described = [props.problem && problemId, props.hint && hintId].filter(Boolean).join(' ')
  return (
    <div className="field">
      <label className="field-label" htmlFor={id}>
        {props.label}
      </label>
      {props.children({
        id,
        'aria-describedby': described || undefined,
        'aria-invalid': props.problem ? true : undefined,
      })}
      {props.problem && (
        <p className="field-problem" id={problemId}>
          {props.problem}
        </p>
      )}
      {props.hint && (
        <p className="field-hint" id={hintId}>
          {props.hint}
        </p>
      )}
    </div>
  )
}

/** One of a few, each with what it is called. */
export function SelectField<V extends string | number>(props: {
  label: string
  value: V
  options: readonly (readonly [V, string])[]
  selectRef?: Ref<HTMLSelectElement>
  onChange: (value: V) => void
}) {
  return (
    <Field label={props.label}>
      {(control) => (
        <select
          {...control}
          ref={props.selectRef}
          className="input select"
          value={props.value}
          onChange={(event) => props.onChange(props.options[event.target.selectedIndex]![0])}
        >
          {props.options.map(([value, label]) => (
            <option key={value} value={value}>
              {label}
            </option>
          ))}
        </select>
      )}
    </Field>
  )
}

/** A folder as text; in Electron also with the platform's dialog. */
export function FolderInput(props: {
  control: ControlProps
  value: string
  placeholder?: string
  chooseLabel: string
  onChange: (folder: string) => void
}) {
  const shell = window.nighthaul
  return (
    <div className="field-row">
      <input
        {...props.control}
        className="input"
        value={props.value}
        placeholder={props.placeholder}
        spellCheck={false}
        onChange={(event) => props.onChange(event.target.value)}
      />
      {shell && (
        <button
          type="button"
          className="button"
          onClick={async () => {
            const folder = await shell.chooseFolder(props.value || props.placeholder)
            if (folder !== null) props.onChange(folder)
          }}
        >
          {props.chooseLabel}
        </button>
      )}
    </div>
  )
}
