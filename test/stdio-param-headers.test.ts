import { fileURLToPath } from 'node:url'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { openStdioGate, type StdioGate } from './support/gate.ts'
import { callModern, readAnswer } from './support/mcp-requests.ts'

const program = fileURLToPath(new URL('./conformance/server/suite-server-stdio.ts', import.meta.url))
let gate: StdioGate
beforeAll(async () => {
  gate = await openStdioGate({ command: [process.execPath, program] })
})
afterAll(() => gate.close())

const call = (region: string, headers: Record<string, string>) =>
  callModern(gate.origin, 'test_region_header', { region }, { headers })

describe('a header that repeats a parameter, before a server that sees no headers (2026-07-28, Server Validation)', () => {
  it.each<[string, Record<string, string>]>([
    ['as it is', { 'Mcp-Param-Region': 'us-west1' }],
    ['in Base64', { 'Mcp-Param-Region': '=?base64?dXMtd2VzdDE=?=' }],
    ['with others that nobody declared', { 'Mcp-Param-Region': 'us-west1', 'Mcp-Param-Other': 'x' }],
  ])('passes when it agrees: %s', async (_how, headers) => {
    expect((await readAnswer(call('us-west1', headers))).error).toBeUndefined()
  })

  it.each<[string, Record<string, string>]>([
    ['another value', { 'Mcp-Param-Region': 'eu-west1' }],
    ['another case', { 'Mcp-Param-Region': 'US-WEST1' }],
    ['no value', { 'Mcp-Param-Region': '' }],
    ['no header', {}],
    ['what is no Base64', { 'Mcp-Param-Region': '=?base64?dXMtd2VzdDE?=' }],
  ])('is refused with %s', async (_what, headers) => {
    const response = await call('us-west1', headers)
    expect(response.status).toBe(400)
    expect((await readAnswer(response)).error.data.error).toBe('header_mismatch')
  })
})
