import { describe, expect, it } from 'vitest'
import { createPaint } from './style.ts'

describe('colours', () => {
  it('are for terminals', () => {
    expect(createPaint({ isTTY: true }, {})('red', 'x')).toBe('\u001b[31mx\u001b[39m')
    expect(createPaint({ isTTY: false }, {})('red', 'x')).toBe('x')
    expect(createPaint({}, { FORCE_COLOR: '1' })('red', 'x')).toBe('x')
  })

  it('are switched off by NO_COLOR and by a dumb terminal', () => {
    expect(createPaint({ isTTY: true }, { NO_COLOR: '1' })('red', 'x')).toBe('x')
    expect(createPaint({ isTTY: true }, { NO_COLOR: '' })('red', 'x')).not.toBe('x')
    expect(createPaint({ isTTY: true }, { TERM: 'dumb' })('red', 'x')).toBe('x')
  })
})
