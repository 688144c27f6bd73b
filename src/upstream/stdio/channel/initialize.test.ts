import { expect, it } from 'vitest'
import { readInitializeResult } from './initialize.ts'

const result = { protocolVersion: '2025-11-25', capabilities: {} }
const nest = (depth: number): unknown => (depth === 0 ? 1 : { a: nest(depth - 1) })

it('the result of initialize is taken as it stands', () => {
  expect(readInitializeResult({ result })).toBe(result)
})

it.each([
  ['an error', { error: { code: -1 } }],
  ['no object', { result: [] }],
  ['no version', { result: { capabilities: {} } }],
  ['a version of modern servers', { result: { ...result, protocolVersion: '2026-07-28' } }],
  ['more levels than can be written again', { result: { ...result, capabilities: nest(513) } }],
  ['more than a million characters', { result: { ...result, instructions: 'x'.repeat(1024 * 1024) } }],
])('a server that initializes with %s is not spoken to', (_, response) => {
  expect(() => readInitializeResult(response)).toThrow(
    expect.objectContaining({ code: 'upstream_invalid_response', reason: 'initialize_invalid' }),
  )
})
