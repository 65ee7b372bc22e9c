import { expect, test } from 'vitest'
import { nightAt, rangeOfNight } from '../../electron/engine/nights.ts'

test('a night is from noon to noon by the clock on the wall, also where that is set', () => {
  expect(nightAt(Date.parse('2026-11-26T11:59:59Z'), 'UTC')).toBe('2026-11-25')
  expect(nightAt(Date.parse('2026-11-26T12:00:00Z'), 'UTC')).toBe('2026-11-26')
  const spring = rangeOfNight('2026-03-28', 'Europe/Berlin')
  expect((spring.to - spring.from) / 3_600_000).toBe(23)
  expect(nightAt(spring.to - 1, 'Europe/Berlin')).toBe('2026-03-28')
  expect(nightAt(spring.to, 'Europe/Berlin')).toBe('2026-03-29')
})
