/**
 * Input that is nearly right: written by a grammar, then damaged. Each input's test states what holds whatever comes.
 */
import { expect, it } from 'vitest'
import { isErrorCode, NighthaulError } from '../../shared/errors.ts'
import fc, { TIMES } from '../helpers/property.ts'

const CASES = 1_000
/** For what hangs, not for what is slow. */
const LIMIT_MS = 60_000 * TIMES

/** Where a property says whether an input was taken, at least one of so many is: what refuses everything shows nothing. */
const ONE_IS_TAKEN_OF = 50

/** false: the input was refused, and there was nothing to look at */
type Taken = boolean | undefined

/** A test that `holds` for each of at least a thousand inputs. */
export function fuzz<T extends [unknown, ...unknown[]]>(
  name: string,
  inputs: { [K in keyof T]: fc.Arbitrary<T[K]> },
  holds: (...input: T) => Taken,
  cases = CASES,
): void {
  it(
    name,
    () => {
      const shares = new Shares()
      fc.assert(
        fc.property(...inputs, (...input) => shares.count(holds(...(input as T)))),
        parameters(cases),
      )
      shares.expectEnough()
    },
    LIMIT_MS,
  )
}

/** The same where it takes real files, sockets or databases. */
export function fuzzAsync<T extends [unknown, ...unknown[]]>(
  name: string,
  inputs: { [K in keyof T]: fc.Arbitrary<T[K]> },
  holds: (...input: T) => Promise<Taken>,
  cases = CASES,
): void {
  it(
    name,
    async () => {
      const shares = new Shares()
      await fc.assert(
        fc.asyncProperty(...inputs, async (...input) => shares.count(await holds(...(input as T)))),
        parameters(cases),
      )
      shares.expectEnough()
    },
    LIMIT_MS,
  )
}

class Shares {
  #taken = 0
  #refused = 0

  count(taken: Taken): void {
    if (taken === true) this.#taken++
    if (taken === false) this.#refused++
  }

  expectEnough(): void {
    const all = this.#taken + this.#refused
    expect(this.#taken, `inputs taken, of ${all}`).toBeGreaterThanOrEqual(all / ONE_IS_TAKEN_OF)
  }
}

function parameters<T>(cases: number): fc.Parameters<T> {
  return {
    numRuns: cases * TIMES,
    // A little before the test would be ended without a word about the input.
    interruptAfterTimeLimit: LIMIT_MS * 0.8,
    markInterruptAsFailure: true,
    // Whole downloads take too long to look for the smallest of them that fails.
    endOnFailure: cases < CASES,
  }
}

/** What it answers; undefined where it refused the input as it may: with an error that people understand. */
export function answerOrRefusal<T>(act: () => T): T | undefined {
  try {
    return act()
  } catch (error) {
    expectRefusal(error)
    return undefined
  }
}

export function expectRefusal(error: unknown): void {
  if (!(error instanceof NighthaulError)) throw error
  expect(isErrorCode(error.code)).toBe(true)
  expect(error.code).not.toBe('internal')
  expect(error.message).not.toBe('')
}

// ── text that is nearly right ──

/** What parsers trip over. */
const NASTY = [
  '\0',
  '\r\n',
  '\n',
  '\t',
  ' ',
  '"',
  "'",
  '\\',
  '\\"',
  ',',
  ';',
  '=',
  ':',
  '*',
  '/',
  '..',
  '../',
  '%',
  '%00',
  '%2f',
  '%5c',
  '%ff',
  '%u0041',
  '-1',
  '0',
  '00',
  '1e999',
  '0x10',
  '9007199254740991',
  '9007199254740992',
  '99999999999999999999999999',
  '\u0000',
  '\u00ff',
  '\u202e',
  '\u2028',
  '\ufeff',
  '\ufffd',
  '\ud800',
  '😀',
  'é',
  '__proto__',
  'constructor',
  'toString',
  'undefined',
  'null',
]

type Mutation =
  | { how: 'delete' | 'double' | 'cut'; at: number; length: number }
  | { how: 'insert' | 'replace'; at: number; length: number; text: string }
  | { how: 'case'; at: number; length: number }
  | { how: 'repeat'; at: number; length: number; times: number }

/** A place as a fraction, so that it fits any text. */
const place = { at: fc.double({ min: 0, max: 1, noNaN: true }), length: fc.nat(8) }
const mutation: fc.Arbitrary<Mutation> = fc.oneof(
  fc.record({ how: fc.constantFrom('delete' as const, 'double' as const, 'cut' as const), ...place }),
  fc.record({
    how: fc.constantFrom('insert' as const, 'replace' as const),
    ...place,
    text: fc.oneof(fc.constantFrom(...NASTY), fc.string({ unit: 'binary', maxLength: 4 })),
  }),
  fc.record({ how: fc.constant('case' as const), ...place }),
  fc.record({ how: fc.constant('repeat' as const), ...place, times: fc.integer({ min: 2, max: 200 }) }),
)

function mutate(text: string, change: Mutation): string {
  const at = Math.floor(change.at * text.length)
  const [before, here, after] = [text.slice(0, at), text.slice(at, at + change.length), text.slice(at + change.length)]
  switch (change.how) {
    case 'delete':
      return before + after
    case 'double':
      return before + here + here + after
    case 'cut':
      return before
    case 'insert':
      return before + change.text + here + after
    case 'replace':
      return before + change.text + after
    case 'case':
      return before + (here === here.toLowerCase() ? here.toUpperCase() : here.toLowerCase()) + after
    case 'repeat':
      return before + here.repeat(change.times) + after
  }
}

/** The texts of a grammar: as they are, with some damage, and now and then anything at all. */
export function nearly(grammar: fc.Arbitrary<string>): fc.Arbitrary<string> {
  return fc.oneof(
    { weight: 4, arbitrary: grammar },
    {
      weight: 5,
      arbitrary: fc
        .tuple(grammar, fc.array(mutation, { minLength: 1, maxLength: 5 }))
        .map(([text, changes]) => changes.reduce(mutate, text)),
    },
    { weight: 1, arbitrary: fc.string({ unit: 'binary', maxLength: 100 }) },
  )
}

/** As a header's value arrives: Latin-1, without line ends and NUL, once or several times. */
export function headerOf(grammar: fc.Arbitrary<string>): fc.Arbitrary<string | string[] | undefined> {
  const value = nearly(grammar).map(asHeaderValue)
  return fc.oneof(
    { weight: 8, arbitrary: value },
    { weight: 2, arbitrary: fc.array(value, { maxLength: 4 }) },
    { weight: 1, arbitrary: fc.constant(undefined) },
  )
}

/** What of a text an HTTP parser would let through; raw UTF-8 as the bytes that it is. */
export function asHeaderValue(text: string): string {
  return Buffer.from(text.toWellFormed(), 'utf8')
    .toString('latin1')
    .replace(/[\0\r\n]/g, '')
    .trim()
}

/** What is good as a rule, so that long inputs of many parts are taken now and then. */
export function mostly(good: fc.Arbitrary<string>, odd: fc.Arbitrary<string>): fc.Arbitrary<string> {
  return fc.oneof({ weight: 30, arbitrary: good }, { weight: 1, arbitrary: odd })
}

/** Pieces one after another. */
export function sequence(...parts: (fc.Arbitrary<string> | string)[]): fc.Arbitrary<string> {
  const arbitraries: fc.Arbitrary<string>[] = parts.map((part) => (typeof part === 'string' ? fc.constant(part) : part))
  return fc.tuple(...arbitraries).map((texts) => texts.join(''))
}

export function listOf(part: fc.Arbitrary<string>, separator: string, maxLength = 5): fc.Arbitrary<string> {
  return fc.array(part, { maxLength }).map((parts) => parts.join(separator))
}

export const digits = fc.oneof(
  fc.nat(1000).map(String),
  fc.maxSafeNat().map(String),
  fc.constantFrom('', '00', '9007199254740991', '9007199254740992', '18446744073709551616', '1'.repeat(400)),
)

export const token = fc.string({
  unit: fc.constantFrom(...'abcXYZ019-_.!~'),
  minLength: 1,
  maxLength: 12,
})

// ── how the work grows ──

/** A short input is done at once however badly its work grows. */
const SIZES = [2_000, 8_000, 32_000] as const
/** CPU time below which nobody is held up, and measuring says nothing. */
const NOTICEABLE_US = 50_000
/** Four times the input: linear work is 4, work with the square of it 16. */
const TOO_STEEP = 10
/** Characters of the answer, as JSON, for each of the input: there are names of fields for the shortest of pieces. */
const MOST_GROWTH = 100

/**
 * Asserts that neither the work nor the answer grows with the square of the input, or worse, for inputs that repeat a
 * piece: where patterns backtrack, lists are searched again and again, and what is said once is kept many times. It
 * compares the processor time of one size with that of a quarter of it, and looks again before it complains.
 */
export function staysLinear(
  name: string,
  pieces: fc.Arbitrary<string>,
  act: (input: string) => unknown,
  cases = 200,
): void {
  const run = async (input: string) => {
    const before = process.cpuUsage()
    let answer: unknown
    try {
      answer = await act(input)
    } catch (error) {
      expectRefusal(error)
    }
    const { user, system } = process.cpuUsage(before)
    const answered = JSON.stringify(answer)?.length ?? 0
    expect(answered, `the answer to ${input.length} characters`).toBeLessThan(1_000 + MOST_GROWTH * input.length)
    return user + system
  }
  fuzzAsync(
    `${name}: work and answer stay in proportion to the input`,
    [pieces, pieces, pieces],
    async (head, repeated, tail) => {
      const inputOf = (size: number) => head + repeated.repeat(Math.ceil(size / (repeated.length || 1))) + tail
      for (const size of SIZES) {
        let cost = await run(inputOf(size))
        let quarter = 1
        // A machine with other things to do, and code that is compiled meanwhile, make single looks unfair.
        for (let look = 0; look < 6 && cost > NOTICEABLE_US && cost > TOO_STEEP * quarter; look++) {
          quarter = Math.max(quarter, await run(inputOf(size / 4)))
          cost = Math.min(cost, await run(inputOf(size)))
        }
        if (cost > NOTICEABLE_US)
          expect(cost / quarter, `${size} characters against ${size / 4}`).toBeLessThan(TOO_STEEP)
      }
    },
    cases,
  )
}
