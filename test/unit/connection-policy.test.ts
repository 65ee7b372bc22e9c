/** What the failure of one connection means for the download. */

import { describe, expect, it, test } from 'vitest'
import { afterFailure, growthPauseMs } from '../../electron/engine/connection-policy.ts'
import { type ErrorKind, EXIT_CODES } from '../../shared/errors.ts'
import fc from '../helpers/property.ts'

const kinds = Object.keys(EXIT_CODES) as ErrorKind[]
const alone = { othersWork: false, onRedirectTarget: false, originalTried: false }

describe('afterFailure', () => {
  test.each<[string, ErrorKind, Partial<typeof alone>, ReturnType<typeof afterFailure>]>([
    ['a full disk ends the run, whoever else works', 'disk', { othersWork: true }, 'fail'],
    ['a full disk is not mended by asking the link again', 'disk', { onRedirectTarget: true }, 'fail'],
    ['a wrong request ends the run', 'usage', { othersWork: true, onRedirectTarget: true }, 'fail'],
    ['refused while others work: the server wants fewer', 'http', { othersWork: true }, 'fewer'],
    ['a wrong range while others work: the server wants fewer', 'integrity', { othersWork: true }, 'fewer'],
    ['a broken line while others work: later', 'network', { othersWork: true }, 'later'],
    ['refused alone', 'http', {}, 'fail'],
    ['a broken line alone', 'network', {}, 'fail'],
    ['refused at a redirect’s target: the link is asked again', 'http', { onRedirectTarget: true }, 'original'],
    ['a target that cannot be reached', 'network', { onRedirectTarget: true }, 'original'],
    ['the link was asked again already', 'http', { onRedirectTarget: true, originalTried: true }, 'fail'],
    ['another file at an expired target', 'changed', { onRedirectTarget: true }, 'original'],
    ['another file, and the link was asked', 'changed', { onRedirectTarget: true, originalTried: true }, 'fail'],
    ['another file while others read the old one', 'changed', { onRedirectTarget: true, othersWork: true }, 'fail'],
    ['another file at the link itself', 'changed', {}, 'fail'],
  ])('%s', (_name, kind, situation, expected) => {
    expect(afterFailure({ kind }, { ...alone, ...situation })).toBe(expected)
  })

  it('asks the link again at most once, and never goes on with a changed file or a failing disk', () => {
    fc.assert(
      fc.property(
        fc.constantFrom(...kinds),
        fc.record({ othersWork: fc.boolean(), onRedirectTarget: fc.boolean(), originalTried: fc.boolean() }),
        (kind, situation) => {
          const action = afterFailure({ kind }, situation)
          if (situation.originalTried || !situation.onRedirectTarget) expect(action).not.toBe('original')
          if (kind === 'changed' || kind === 'disk') expect(['fail', 'original']).toContain(action)
          // The last connection's failure is the run's, or the run would go on with nobody working.
          if (!situation.othersWork) expect(['fail', 'original']).toContain(action)
        },
      ),
    )
  })
})

describe('growthPauseMs', () => {
  it('grows from half a second to half a minute at most, and never shrinks with more failures', () => {
    fc.assert(
      fc.property(
        fc.nat(1_000_000),
        fc.double({ min: 0, max: 1, maxExcluded: true, noNaN: true }),
        (failures, random) => {
          const pause = growthPauseMs(failures, random)
          expect(pause).toBeGreaterThanOrEqual(500)
          expect(pause).toBeLessThanOrEqual(30_000)
          expect(growthPauseMs(failures + 1, random)).toBeGreaterThanOrEqual(pause)
        },
      ),
    )
  })
})
