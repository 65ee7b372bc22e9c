/** One of a few, side by side: radio buttons, so that the arrow keys move between them. */
import { useId } from 'react'
import './choice.css'

export function Choice<K extends string>(props: {
  label: string
  options: readonly { key: K; label: string }[]
  value: K
  onChange: (key: K) => void
}) {
  const name = useId()
  return (
    <fieldset className="choice">
      <legend className="visually-hidden">{props.label}</legend>
      {props.options.map(({ key, label }) => (
        <label key={key} className="choice-option">
          <input
            type="radio"
            className="visually-hidden"
            name={name}
            checked={key === props.value}
            onChange={() => props.onChange(key)}
          />
          <span className="choice-label">{label}</span>
        </label>
      ))}
    </fieldset>
  )
}
