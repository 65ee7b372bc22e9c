/** Values that nearly fit a zod schema: made from it, then damaged somewhere inside. */

import { z } from 'zod'
import fc from '../helpers/property.ts'

interface JsonSchema {
  type?: string
  const?: unknown
  enum?: unknown[]
  anyOf?: JsonSchema[]
  oneOf?: JsonSchema[]
  allOf?: JsonSchema[]
  prefixItems?: JsonSchema[]
  items?: JsonSchema
  properties?: Record<string, JsonSchema>
  required?: string[]
  minimum?: number
  maximum?: number
  minLength?: number
  maxLength?: number
  format?: string
}

const MOST_ITEMS = 3
const TEXTS = [
  '',
  'a',
  '文',
  '…',
  'x'.repeat(200),
  'example.org',
  '*.example.org:80',
  'sha-256',
  'ab'.repeat(32),
  'YQ==',
]
/** Nobody listens there. */
const URLS = ['http://127.0.0.1:9/file.bin', 'https://127.0.0.1:9/a%20b?c=d#e', 'http://[::1]:9/']

const NASTY: readonly unknown[] = [
  null,
  true,
  0,
  -1,
  0.5,
  1e308,
  -0,
  2 ** 53,
  '',
  '\0',
  '..',
  '\ud800',
  'x'.repeat(100_000),
  [],
  {},
  [[[[[]]]]],
  { a: { b: { c: {} } } },
  ['', null],
]

/** `pathsIn`: where what is called a folder, a file or a path may point to. */
export function valueFor(schema: z.ZodType, pathsIn: string): fc.Arbitrary<unknown> {
  return fromSchema(z.toJSONSchema(schema, { io: 'input', unrepresentable: 'any' }) as JsonSchema, '', pathsIn)
}

function fromSchema(schema: JsonSchema, name: string, pathsIn: string): fc.Arbitrary<unknown> {
  const of = (inner: JsonSchema, key = name) => fromSchema(inner, key, pathsIn)
  if ('const' in schema) return fc.constant(schema.const)
  if (schema.enum) return fc.constantFrom(...schema.enum)
  const choices = schema.anyOf ?? schema.oneOf
  if (choices) return fc.oneof(...choices.map((choice) => of(choice)))
  if (schema.allOf) return of(Object.assign({}, ...schema.allOf) as JsonSchema)
  switch (schema.type) {
    case 'null':
      return fc.constant(null)
    case 'boolean':
      return fc.boolean()
    case 'integer':
    case 'number':
      return numbers(schema)
    case 'string':
      if (/folder|path|file/i.test(name)) return fc.constantFrom(`${pathsIn}/a`, `${pathsIn}/a/b.txt`, 'relative', '')
      if (schema.format === 'uri' || /url/i.test(name)) return fc.constantFrom(...URLS)
      return fc.oneof(fc.constantFrom(...TEXTS), fc.string({ unit: 'binary', maxLength: 8 }))
    case 'array': {
      if (schema.prefixItems) return fc.tuple(...schema.prefixItems.map((item) => of(item)))
      return fc.array(of(schema.items ?? {}), { maxLength: MOST_ITEMS })
    }
    case 'object': {
      const { properties = {}, required = [] } = schema
      const fields = Object.fromEntries(Object.entries(properties).map(([key, field]) => [key, of(field, key)]))
      return fc.record(fields, { requiredKeys: required })
    }
    default:
      return fc.jsonValue({ maxDepth: 2 })
  }
}

function numbers({ type, minimum = -1e9, maximum = 1e9 }: JsonSchema): fc.Arbitrary<number> {
  const [least, most] = [Math.max(minimum, -(2 ** 53) + 1), Math.min(maximum, 2 ** 53 - 1)]
  const edges = fc.constantFrom(least, most, least - 1, most + 1, Math.min(most, least + 1))
  const between = type === 'integer' ? fc.integer({ min: Math.ceil(least), max: Math.floor(most) }) : fc.nat(100)
  return fc.oneof({ weight: 1, arbitrary: edges }, { weight: 4, arbitrary: between })
}

/** Some of its values as they are, some with one or several places made wrong. */
export function nearlyValue(values: fc.Arbitrary<unknown>): fc.Arbitrary<unknown> {
  const damage = fc.record({
    place: fc.array(fc.nat(100), { maxLength: 4 }),
    how: fc.constantFrom('replace' as const, 'drop' as const, 'add' as const),
    key: fc.constantFrom('__proto__', 'constructor', 'extra', 'toString', ''),
    value: fc.oneof(fc.constantFrom(...NASTY), fc.jsonValue({ maxDepth: 1 })),
  })
  return fc
    .tuple(values, fc.oneof(fc.constant([]), fc.array(damage, { minLength: 1, maxLength: 3 })))
    .map(([value, damages]) =>
      damages.reduce((whole: unknown, { place, ...change }) => damaged(whole, place, change), value),
    )
}

function damaged(
  value: unknown,
  [first, ...rest]: readonly number[],
  change: { how: 'replace' | 'drop' | 'add'; key: string; value: unknown },
): unknown {
  const isList = Array.isArray(value)
  if (first === undefined || typeof value !== 'object' || value === null) return change.value
  const entries: [string, unknown][] = Object.entries(value)
  const at = entries.length === 0 ? -1 : first % entries.length
  const next = entries.flatMap(([key, inner], index): [string, unknown][] => {
    if (index !== at) return [[key, inner]]
    if (rest.length > 0) return [[key, damaged(inner, rest, change)]]
    return change.how === 'drop' ? [] : [[key, change.how === 'replace' ? change.value : inner]]
  })
  if (rest.length === 0 && change.how === 'add') next.push([change.key, change.value])
  // Own keys whatever they are called, as JSON.parse makes them.
  return isList ? next.map(([, inner]) => inner) : Object.fromEntries(next)
}
