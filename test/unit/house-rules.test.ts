import { describe, expect, test } from 'vitest'
import { checkHouse, importsOf } from '../../scripts/house-rules.ts'

const check = (path: string, text: string) => checkHouse(new Map([[path, text]]))

describe('the rules of the house', () => {
  test.each([
    ['shared/format.ts', "import { readFile } from 'node:fs'"],
    ['shared/format.ts', "import { pino } from 'pino'"],
    ['shared/format.ts', "import { x } from '../electron/profile.ts'"],
    ['electron/engine/engine.ts', "import { app } from 'electron'"],
    ['electron/engine/engine.ts', "import { openStore } from '../store/index.ts'"],
    ['electron/engine/http/client.ts', "import { App } from '../../../renderer/app.tsx'"],
    ['electron/engine/engine.ts', "export { openStore } from '../store/index.ts'"],
    ['electron/engine/engine.ts', "const store = await import('../store/index.ts')"],
    ['electron/engine/engine.ts', "import '../store/index.ts'"],
    ['electron/engine/engine.ts', "import {\n  openStore,\n} from '../store/index.ts'"],
    ['electron/store/index.ts', "import { createEngine } from '../engine/engine.ts'"],
    ['electron/store/index.ts', "import { request } from 'undici'"],
    ['renderer/app.tsx', "import type { EngineApi } from '../electron/engine/api.ts'"],
    ['renderer/app.tsx', "import { join } from 'node:path'"],
    ['renderer/app.tsx', "import { join } from 'path'"],
    ['renderer/app.tsx', "import Database from 'better-sqlite3'"],
    ['electron/preload.ts', "import { openEngine } from './compose.ts'"],
    ['electron/preload.ts', "import { z } from 'zod'"],
    ['electron/window.ts', "import { openEngine } from './compose.ts'"],
    ['electron/main.ts', "import { thing } from '../test/helpers/thing.ts'"],
    ['somewhere/else.ts', ''],
  ])('%s may not hold %s', (path, text) => {
    const [problem, ...others] = check(path, text)
    expect(problem).toMatch(new RegExp(`^${path}: `))
    expect(others).toEqual([])
  })

  test.each([
    ['shared/format.ts', "import { z } from 'zod'\nimport { x } from './errors.ts'"],
    ['electron/engine/engine.ts', "import { request } from 'undici'\nimport { z } from '../../shared/schemas.ts'"],
    ['electron/store/index.ts', "import Database from 'better-sqlite3'\nimport { join } from 'node:path'"],
    ['renderer/app.tsx', "import { useState } from 'react'\nimport './app.css'\nimport { x } from '../shared/rpc.ts'"],
    ['electron/main.ts', "import { app } from 'electron'\nimport { openEngine } from './compose.ts'"],
    ['electron/engine/engine.ts', "// import { openStore } from '../store/index.ts'\n/** import { a } from 'pino' */"],
  ])('%s may hold %s', (path, text) => {
    expect(check(path, text)).toEqual([])
  })

  test('finds every form of import', () => {
    const text = [
      "import a from 'a'",
      "import type { B } from 'b'",
      "import * as c from 'c'",
      "export * from 'd'",
      "export type { E } from 'e'",
      "import 'f'",
      "const g = await import('g')",
      "import h, {\n  type H,\n} from 'h'",
    ].join('\n')
    expect(importsOf(text).map(({ name }) => name)).toEqual([...'abcdefgh'])
    expect(importsOf(text).filter(({ isType }) => isType)).toHaveLength(2)
  })

  test('a long file needs a reason in its head comment', () => {
    const long = 'const a = 1\n'.repeat(401)
    expect(check('shared/long.ts', long)).toEqual([expect.stringContaining('401 lines')])
    expect(check('shared/long.ts', `/** Long because: a table. */\n${long}`)).toEqual([])
    expect(check('shared/long.ts', 'const a = 1\n'.repeat(400))).toEqual([])
  })

  test('a name that says nothing is refused outside the tests', () => {
    expect(check('shared/utils.ts', '')).toHaveLength(1)
    expect(check('electron/helpers/thing.ts', '')).toHaveLength(1)
    expect(check('test/helpers/thing.ts', '')).toEqual([])
  })

  test('no machine’s paths and no registry’s addresses', () => {
    // put together here, so that this file itself keeps the rule
    expect(check('docs/a.md', `see ${'/home'}/ada/notes`)).toHaveLength(1)
    expect(check('package-lock.json', `{${'"resolved"'}: "https://example.test/a.tgz"}`)).toHaveLength(1)
    expect(check('docs/a.md', 'see https://example.test/home/page and ~/Downloads')).toEqual([])
    expect(checkHouse(new Map([['docs/a.md', 'in /builds/here']]), ['/builds/here'])).toHaveLength(1)
  })

  test('the lock file keeps npm from compiling what comes compiled', () => {
    const lock = (entry: object) => JSON.stringify({ packages: { 'node_modules/better-sqlite3': entry } })
    expect(check('package-lock.json', lock({ version: '13.2.0' }))).toEqual([expect.stringContaining('gypfile')])
    expect(check('package-lock.json', lock({ version: '13.2.0', gypfile: false }))).toEqual([])
  })

  test('every error code is documented', () => {
    const errors = "export const ERROR_KINDS = {\n  usage: 'usage',\n  gone: 'http',\n} as const"
    const house = (documentation: string) =>
      checkHouse(
        new Map([
          ['shared/errors.ts', errors],
          ['docs/errors.md', documentation],
        ]),
      )
    expect(house('`usage` and `gone`')).toEqual([])
    expect(house('`usage`')).toEqual(['docs/errors.md: does not document `gone`'])
    expect(checkHouse(new Map([['shared/errors.ts', errors]]))).toHaveLength(1)
  })
})
