/** When a queue may work: the week to paint, the same as text, its zone, its limit meanwhile, and its deadline. */
import { useTranslation } from 'react-i18next'
import { MISSED } from '../../../shared/queues.ts'
import { Choice } from '../../ui/choice.tsx'
import { Field, SelectField } from '../../ui/field.tsx'
import { PaintedWeek } from './painted-week.tsx'
import type { PartProps } from './queue-dialog.tsx'
import { readWindows } from './queue-form.ts'
import { openHours } from './week.ts'

export function WindowFields({ form, set, problems }: PartProps) {
  const { t } = useTranslation()
  const read = readWindows(form.windows)
  const here = Intl.DateTimeFormat().resolvedOptions().timeZone
  return (
    <fieldset className="settings-group">
      <legend>{t('queue.groups.when')}</legend>
      <div className="queue-when">
        <Choice
          label={t('queue.groups.when')}
          options={[
            { key: 'always', label: t('queue.always') },
            { key: 'windows', label: t('queue.inWindows') },
          ]}
          value={form.scheduled ? 'windows' : 'always'}
          onChange={(key) => set({ scheduled: key === 'windows' })}
        />
        {form.scheduled && 'week' in read && (
          <p className="field-hint number">{t('queue.hours', { count: Math.round(openHours(read.week) * 10) / 10 })}</p>
        )}
      </div>
      {form.scheduled && (
        <>
          <PaintedWeek label={t('queue.week')} text={form.windows} onPaint={(windows) => set({ windows })} />
          <Field
            label={t('queue.windows')}
            hint={t('queue.windowsHint')}
            problem={
              problems.windows === undefined
                ? null
                : problems.windows === 'empty'
                  ? t('queue.windowsEmpty')
                  : problems.windows
            }
          >
            {(control) => (
              <input
                {...control}
                className="input mono"
                value={form.windows}
                spellCheck={false}
                autoComplete="off"
                maxLength={2000}
                onChange={(event) => set({ windows: event.target.value })}
                onBlur={() => 'text' in read && set({ windows: read.text })}
              />
            )}
          </Field>
        </>
      )}
      <div className="field-columns">
        <Field
          label={t('queue.limit')}
          problem={problems.limit ? t('settings.invalid', { min: 0.001, max: 100_000 }) : null}
        >
          {(control) => (
            <span className="field-row">
              <input
                {...control}
                className="input input-number"
                inputMode="decimal"
                value={form.limit}
                placeholder={t('settings.limitNone')}
                onChange={(event) => set({ limit: event.target.value })}
              />
              <span className="unit">{t('settings.limitUnit')}</span>
            </span>
          )}
        </Field>
        <Field
          label={t('queue.finishBy')}
          hint={t('queue.finishByHint')}
          problem={problems.finishBy ? t('queue.finishByInvalid') : null}
        >
          {(control) => (
            <input
              {...control}
              className="input input-number"
              value={form.finishBy}
              placeholder={t('queue.none.finishBy')}
              autoComplete="off"
              onChange={(event) => set({ finishBy: event.target.value })}
            />
          )}
        </Field>
        {(form.scheduled || form.finishBy !== '') && (
          <Field label={t('queue.timeZone')} problem={problems.timeZone ? t('queue.timeZoneInvalid') : null}>
            {(control) => (
              <>
                <input
                  {...control}
                  className="input"
                  list={`${control.id}-zones`}
                  value={form.timeZone}
                  placeholder={t('queue.none.timeZone', { zone: here })}
                  spellCheck={false}
                  autoComplete="off"
                  onChange={(event) => set({ timeZone: event.target.value })}
                />
                <datalist id={`${control.id}-zones`}>
                  {Intl.supportedValuesOf('timeZone').map((zone) => (
                    <option key={zone} value={zone} />
                  ))}
                </datalist>
              </>
            )}
          </Field>
        )}
        {form.scheduled && (
          <SelectField
            label={t('queue.missed')}
            value={form.missed}
            options={MISSED.map((value) => [value, t(`queue.missedOptions.${value}`)])}
            onChange={(missed) => set({ missed })}
          />
        )}
      </div>
    </fieldset>
  )
}
