/**
 * Reads Prometheus' text format as strictly as its specification: throws where a scraper would be misled.
 * https://prometheus.io/docs/instrumenting/exposition_formats/
 */
export interface Family {
  type: string
  help: string
  samples: { name: string; labels: Record<string, string>; value: number }[]
}

const NAME = '[a-zA-Z_:][a-zA-Z0-9_:]*'
const SAMPLE = new RegExp(`^(${NAME})(?:\\{(.*)\\})? (\\S+)$`, 's')
const LABEL = /^([a-zA-Z_][a-zA-Z0-9_]*)="((?:[^"\\\n]|\\["\\n])*)"(?:,|$)/

export function readExposition(text: string): Map<string, Family> {
  if (!text.endsWith('\n')) throw new Error('the last line does not end')
  const families = new Map<string, Family>()
  const seen = new Set<string>()
  let current: [string, Family] | null = null
  let help: [string, string] | null = null
  for (const line of text.slice(0, -1).split('\n')) {
    const comment = new RegExp(`^# (HELP|TYPE) (${NAME}) (.*)$`).exec(line)
    if (comment) {
      const [, kind, name = '', rest = ''] = comment
      if (kind === 'HELP') help = [name, rest]
      else {
        if (families.has(name)) throw new Error(`${name} is there twice`)
        if (help?.[0] !== name) throw new Error(`${name} has no help before its type`)
        current = [name, { type: rest, help: help[1], samples: [] }]
        families.set(...current)
      }
      continue
    }
    const sample = SAMPLE.exec(line)
    if (!sample || !current) throw new Error(`not a sample: ${line}`)
    const [, name = '', labelText = '', valueText = ''] = sample
    const [family, { type, samples }] = current
    const suffix = name.slice(family.length)
    if (!name.startsWith(family) || !(type === 'histogram' ? /^_(bucket|sum|count)$/ : /^$/).test(suffix))
      throw new Error(`${name} stands under ${family}`)
    const value = Number(valueText)
    if (valueText === '' || Number.isNaN(value)) throw new Error(`not a number: ${line}`)
    const labels = readLabels(labelText, line)
    const series = `${name} ${JSON.stringify(Object.entries(labels).sort())}`
    if (seen.has(series)) throw new Error(`twice: ${line}`)
    seen.add(series)
    samples.push({ name, labels, value })
  }
  for (const [name, family] of families) check(name, family)
  return families
}

function readLabels(text: string, line: string): Record<string, string> {
  const labels: Record<string, string> = {}
  for (let rest = text; rest !== ''; ) {
    const [all, name, value] = LABEL.exec(rest) ?? []
    if (all === undefined || name === undefined || name in labels) throw new Error(`bad labels: ${line}`)
    labels[name] = value!.replace(/\\(.)/g, (_, character) => (character === 'n' ? '\n' : character))
    rest = rest.slice(all.length)
  }
  return labels
}

function check(name: string, { type, samples }: Family): void {
  if (type === 'counter' && !name.endsWith('_total')) throw new Error(`${name} is a counter without _total`)
  if (type !== 'histogram') return
  const buckets = samples.filter((sample) => sample.name === `${name}_bucket`)
  const bounds = buckets.map(({ labels }) => (labels.le === '+Inf' ? Number.POSITIVE_INFINITY : Number(labels.le)))
  for (const [index, bound] of bounds.entries()) {
    if (index === 0) continue
    if (!(bound > bounds[index - 1]!)) throw new Error(`${name}: le does not rise at ${bound}`)
    if (buckets[index]!.value < buckets[index - 1]!.value) throw new Error(`${name}: counts fall at ${bound}`)
  }
  if (bounds.at(-1) !== Number.POSITIVE_INFINITY) throw new Error(`${name} has no bucket for everything`)
  const count = samples.find((sample) => sample.name === `${name}_count`)?.value
  if (count !== buckets.at(-1)!.value) throw new Error(`${name}: count and last bucket differ`)
  if (!samples.some((sample) => sample.name === `${name}_sum`)) throw new Error(`${name} has no sum`)
}
