import { expect, it } from 'vitest'
import { evaluate } from '../../../test/support/expressions.ts'
import { parseDuration, parseTimestamp } from './time.ts'

it.each([
  ['1970-01-01T00:00:00Z', 0n],
  ['1970-01-01T00:00:01.5Z', 1_500_000_000n],
  ['1970-01-01T01:00:00+01:00', 0n],
  ['1969-12-31T23:59:59.999999999Z', -1n],
  ['2024-02-29T00:00:00Z', 1_709_164_800_000_000_000n],
  ['0001-01-01T00:00:00Z', -62_135_596_800_000_000_000n],
  ['9999-12-31T23:59:59.999999999Z', 253_402_300_799_999_999_999n],
])('%s is a moment', (text, nanoseconds) => {
  expect(parseTimestamp(text)).toEqual({ kind: 'timestamp', nanoseconds })
})

it.each([
  '2026-02-30T00:00:00Z',
  '2023-02-29T00:00:00Z',
  '2026-01-01T24:00:00Z',
  '2026-01-01T23:59:60Z',
  '2026-13-01T00:00:00Z',
  '2026-01-01T00:00:00',
  '2026-01-01',
  '2026-01-01 00:00:00Z',
  '2026-01-01t00:00:00z',
  '2026-01-01T00:00:00+99:00',
  '2026-01-01T00:00:00.Z',
  '0000-12-31T00:00:00Z',
  '0001-01-01T00:00:00+01:00',
  '9999-12-31T23:59:59-01:00',
  '+12026-01-01T00:00:00Z',
  `2026-01-01T00:00:00.${'0'.repeat(100)}Z`,
  '',
])('%s is none', (text) => {
  expect(parseTimestamp(text)).toMatchObject({ kind: 'failure' })
})

it.each([
  ['1h30m', 5_400_000_000_000n],
  ['-2.5s', -2_500_000_000n],
  ['0s', 0n],
  ['1ms2us3ns', 1_002_003n],
  ['1.5h', 5_400_000_000_000n],
])('%s is a duration', (text, nanoseconds) => {
  expect(parseDuration(text)).toEqual({ kind: 'duration', nanoseconds })
})

it.each(['', '-', '1', 's', '1 s', '1d', '1s ', '1s-1s', '.5s', '1.s', '+1s', '--1s', '999999999999h', '1s'.repeat(40)])(
  '%j is none',
  (text) => {
    expect(parseDuration(text)).toMatchObject({ kind: 'failure' })
  },
)

it.each([
  `now.getFullYear() == 2026 && now.getMonth() == 10 && now.getDate() == 29 && now.getDayOfMonth() == 28 && now.getDayOfWeek() == 0`,
  `now.getHours() == 22 && now.getMinutes() == 0 && now.getSeconds() == 0`,
  `now.getHours('Asia/Kolkata') == 3 && now.getMinutes('Asia/Kolkata') == 30 && now.getDayOfWeek('Asia/Kolkata') == 1`,
  `now.getHours('+02:00') == 0 && now.getDate('+02:00') == 30`,
  `now + duration('2h') == timestamp('2026-11-30T00:00:00Z') && now + duration('1s') > now && now - duration('1s') < now`,
  `now - timestamp('2026-11-29T20:30:00Z') == duration('90m')`,
  `(now - timestamp('2026-11-29T20:29:59Z')).getHours() == 1 && (now - timestamp('2026-11-29T20:30:00Z')).getMinutes() == 90`,
  `(now - timestamp('2026-11-29T21:00:00Z')).getSeconds() == 3600 && now - now + duration('1s') - duration('2s') < duration('0s')`,
  `now == timestamp(1795989600) && now != timestamp(0)`,
])('%s holds at 2026-11-29T22:00:00Z', (source) => {
  expect(evaluate(source)).toEqual({ value: true })
})

it.each([`now + duration('80000000h') > now`, `now - duration('80000000h') < now`, `timestamp(args.amount * 10000000000) > now`])(
  '%s fails, since it leaves the years 1 to 9999',
  (source) => {
    expect(evaluate(source)).toMatchObject({ value: 'error', reason: expect.stringContaining('a time is out of range') })
  },
)
