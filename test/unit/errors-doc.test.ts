import { readFileSync } from 'node:fs'
import { describe, expect, test } from 'vitest'
import { ERROR_KINDS, type ErrorCode, EXIT_CODES, exitCodeOf } from '../../shared/errors.ts'

/** code -> exit code, as docs/errors.md says, with the three columns that say what it means. */
function documented(): Map<string, { exitCode: number; cells: string[] }> {
  const text = readFileSync(new URL('../../docs/errors.md', import.meta.url), 'utf8')
  const found = new Map<string, { exitCode: number; cells: string[] }>()
  let exitCode = Number.NaN
  for (const line of text.split('\n')) {
    const heading = /^## .*exit code (\d+)$/.exec(line)
    if (heading) exitCode = Number(heading[1])
    const row = /^\| `(\w+)` \| (.*) \|$/.exec(line)
    if (!row) continue
    expect(found.has(row[1]!), `${row[1]} is documented twice`).toBe(false)
    found.set(row[1]!, { exitCode, cells: row[2]!.split(' | ') })
  }
  return found
}

describe('docs/errors.md', () => {
  test('documents every code, and no other', () => {
    expect([...documented().keys()].sort()).toEqual(Object.keys(ERROR_KINDS).sort())
  })

  test('tells the exit code of every code', () => {
    const told = Object.fromEntries([...documented()].map(([code, { exitCode }]) => [code, exitCode]))
    const real = Object.fromEntries(Object.keys(ERROR_KINDS).map((code) => [code, exitCodeOf(code as ErrorCode)]))
    expect(told).toEqual(real)
    expect(new Set(Object.values(told))).toEqual(new Set(Object.values(EXIT_CODES)))
  })

  test('says of every code what happened, what was kept and what to do', () => {
    const incomplete = [...documented()].filter(
      ([, { cells }]) => cells.length !== 3 || cells.some((cell) => cell.length < 8),
    )
    expect(incomplete).toEqual([])
  })
})
