/** What is imported or pasted: exported lists, and cURL commands. Entries that cannot be used are named, none does harm. */
import { mkdtempSync, readdirSync, readFileSync, realpathSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { basename, join } from 'node:path'
import { afterAll, beforeAll, expect } from 'vitest'
import { parseCurl } from '../../electron/engine/curl-command.ts'
import { importFormat, ListedHostRule, ListedQueue, ListedSettings, ListedTask } from '../../shared/list-file.ts'
import { AddItem } from '../../shared/schemas.ts'
import { realClock, startEngine, type TestEngine } from '../helpers/engine.ts'
import fc from '../helpers/property.ts'
import {
  answerOrRefusal,
  expectRefusal,
  fuzz,
  fuzzAsync,
  listOf,
  mostly,
  nearly,
  sequence,
  staysLinear,
  token,
} from './fuzz.ts'
import { nearlyValue, valueFor } from './json.ts'

const root = realpathSync(mkdtempSync(join(tmpdir(), 'nighthaul-fuzz-import-')))
const precious = join(root, 'precious')
let engine: TestEngine
beforeAll(async () => {
  writeFileSync(precious, 'of somebody else')
  // Nothing of what is imported here is begun.
  engine = await startEngine({ clock: realClock, settings: { downloadsAtOnce: 1 } })
})
afterAll(async () => {
  await engine[Symbol.asyncDispose]()
  rmSync(root, { recursive: true, force: true })
})

/** A task whose paths lie here; some say that somebody else's file is their partial. */
const partial = fc.record({
  url: fc.nat(1000).map((number) => `http://127.0.0.1:9/${number}`),
  folder: fc.constant(root),
  filename: fc.constantFrom('x', 'precious', '../precious'),
  partPath: fc.constantFrom(precious, `${root}/x.part`, `${root}/../${basename(root)}/precious`, '../precious', ''),
  // What is done is a file that the user has by that name, and sees in the list before it is deleted.
  state: fc.constantFrom('paused', 'failed', 'changed', 'active'),
  error: fc.constant({ code: 'checksum_mismatch', message: '', params: { path: precious, earlierPath: precious } }),
  sizeBytes: fc.constant(32),
  segments: fc.constant([[0, 32, 16]]),
})
const task = fc.oneof(valueFor(ListedTask, root), partial)
const list = fc.record({
  format: fc.constantFrom('nighthaul-list', 'nighthaul-list', 'nighthaul-list', 'other'),
  version: fc.constantFrom(1, 1, 1, 2, 0),
  exportedAt: fc.constant(''),
  secrets: fc.boolean(),
  // What runs, and how, is not this test's.
  settings: fc.constant({}),
  queues: fc.array(nearlyValue(valueFor(ListedQueue, root)), { maxLength: 1 }),
  hostRules: fc.array(nearlyValue(valueFor(ListedHostRule, root)), { maxLength: 1 }),
  tasks: fc.array(nearlyValue(task), { maxLength: 4 }),
})
const json = (value: unknown) => JSON.stringify(value) ?? ''

fuzzAsync(
  'a list is imported as far as it can be used, and no file of anybody else becomes a partial',
  [fc.oneof({ weight: 4, arbitrary: list.map(json) }, { weight: 1, arbitrary: nearly(nearlyValue(list).map(json)) })],
  async (text) => {
    writeFileSync(`${root}/x.part`, 'x'.repeat(32))
    const result = await engine.call('list.import', { text, paused: true }).catch(expectRefusal)
    if (result) expect(result.refused.length).toBeLessThanOrEqual(result.refusedInAll)
    // What came of several, because each removal is written to the disk.
    if (++imports % 10 === 0) await expectHarmless()
    return result !== undefined && result.added > 0
  },
)

let imports = 0
async function expectHarmless(): Promise<void> {
  const { rows } = await engine.call('tasks.list', { limit: 1000 })
  for (const { id, filename } of rows) {
    const { partPath } = await engine.get(id)
    expect(filename).not.toMatch(/[/\\\0]/)
    if (partPath !== null) expect(partPath).toMatch(/\.part$/)
  }
  const ids = rows.map(({ id }) => id)
  if (ids.length > 0) await engine.call('tasks.remove', { selection: { ids }, deleteFiles: true, now: true })
  expect(readFileSync(precious, 'utf8')).toBe('of somebody else')
  expect(readdirSync(root).filter((name) => name !== 'x.part')).toEqual(['precious'])
}

fuzz('settings of a list are within their bounds', [nearlyValue(valueFor(ListedSettings, root))], (value) => {
  const parsed = ListedSettings.safeParse(value)
  if (parsed.success) expect(ListedSettings.parse(parsed.data)).toEqual(parsed.data)
})

fuzz(
  'what a file is, is told by its beginning',
  [nearly(fc.constantFrom('{', '<?xml', 'http://a', '\ufeff {'))],
  (text) => {
    expect(['list', 'metalink', 'links']).toContain(importFormat(text))
  },
)

const word = fc.oneof(
  fc.constantFrom(
    "'http://a.test/x'",
    '"https://u:p@a.test"',
    "$'a\\x41'",
    '\\',
    '^"',
    "'",
    '"',
    '|',
    '&&',
    ';',
    '$(id)',
    '`id`',
  ),
  token,
)
const flag = fc.oneof(
  sequence('-H ', word),
  sequence("-H 'Cookie: a=", token, "'"),
  sequence('-d ', fc.oneof(word, fc.constantFrom('@/etc/passwd', 'a=b'))),
  sequence('-o ', fc.constantFrom('../../x', '/etc/passwd', 'a.bin', '-')),
  sequence('-X ', fc.constantFrom('POST', 'GET', 'DELETE', '__proto__')),
  sequence('--data-urlencode ', fc.constantFrom('a@/etc/passwd', '@x', 'a=b c')),
  sequence('-u ', word),
  sequence('-x ', word),
  sequence('--', token, ' ', word),
  fc.constantFrom(
    '-k',
    '-I',
    '--compressed',
    '-sSL',
    '-G',
    '--json {}',
    '--cert /x',
    '--cacert /x',
    '--retry 1e9',
    '-C 5',
  ),
)
const usual = fc.oneof(
  fc.constantFrom("'http://a.test/x'", 'https://b.test/y', "-H 'Accept: */*'", "-H $'X: \\x41'", '--compressed -sSL'),
  fc.constantFrom('-u me:pw', '-x http://p.test:1', "-d 'a=b'", '-o ../../x', '-G', '-X POST', '--retry 3'),
)
const command = sequence(
  mostly(fc.constantFrom('curl ', '$ curl ', 'curl.exe '), fc.constantFrom('wget ', '')),
  listOf(mostly(usual, fc.oneof(flag, word)), ' ', 6),
)

fuzz(
  'a pasted cURL command is downloads that a client could ask for, or refused; it reads no file',
  [nearly(command)],
  (text) => {
    const items = answerOrRefusal(() => parseCurl(text)) ?? []
    for (const item of items) {
      const { url, filename, options } = AddItem.parse(item)
      expect(new URL(url).protocol).toMatch(/^https?:$/)
      if (filename !== undefined) expect(filename).not.toMatch(/[/\\]/)
      for (const [name, value] of options?.headers ?? []) expect(`${name}${value}`).not.toMatch(/[\r\n\0]/)
      expect(options?.caPem ?? options?.clientCertificate).toBe(undefined)
    }
    return items.length > 0
  },
)

const pieces = fc.oneof(word, flag, fc.constantFrom(' ', '\\\n', '^\n', '-H', '[', ']', '{'))
staysLinear('a cURL command', pieces, (text) => parseCurl(`curl http://a.test ${text}`), 50)
