import { expect, it } from 'vitest'
import { type ErrorCode, errorCatalogue, jsonRpcCodeOf } from './errors.ts'

const codes = Object.keys(errorCatalogue) as ErrorCode[]

/** Those that JSON-RPC 2.0 §5.1 and MCP define (2026-07-28, basic/index, Error Codes). */
const defined = new Set([-32700, -32600, -32601, -32602, -32603, -32020, -32021, -32022])

it.each(codes)('%s has a code that JSON-RPC or MCP defines, or one outside what they reserve', (code) => {
  const number = jsonRpcCodeOf(code)
  expect(Number.isSafeInteger(number)).toBe(true)
  expect(defined.has(number) || number < -32768 || number > -32000, String(number)).toBe(true)
})

it('the codes of MCP mean what it says: -32020 is about headers alone', () => {
  const ofMcp = codes.filter((code) => jsonRpcCodeOf(code) >= -32099 && jsonRpcCodeOf(code) <= -32020)
  expect(ofMcp).toEqual(['header_mismatch'])
})
