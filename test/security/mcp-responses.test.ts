import { afterAll, beforeAll, describe, it } from 'vitest'
import { type Arena, checkAttack, formatRequest, startArena } from '../support/attack.ts'

let arena: Arena
beforeAll(async () => {
  arena = await startArena()
})
afterAll(() => arena.close())

const result = '{"jsonrpc":"2.0","id":1,"result":{}}'
const error = '{"jsonrpc":"2.0","id":1,"error":{"code":-32603,"message":"no"}}'

describe('a response from the client', () => {
  it.each([result, error])('is refused at 2026-07-28, which knows none (streamable-http, Sending Messages): %s', async (body) => {
    const request = formatRequest(arena, { body, more: ['MCP-Protocol-Version: 2026-07-28'] })
    await checkAttack(arena, request, { status: 400, code: 'message_invalid' })
  })

  it.each([result, error])('is refused at an unknown revision: %s', async (body) => {
    const request = formatRequest(arena, { body, more: ['MCP-Protocol-Version: 2031-01-01'] })
    await checkAttack(arena, request, { status: 400, code: 'message_invalid' })
  })

  it('goes on at older revisions, whose servers ask clients', async () => {
    const version = ['mcp-protocol-version', '2025-11-25'] as const
    const request = formatRequest(arena, { body: result, more: ['MCP-Protocol-Version: 2025-11-25'] })
    await checkAttack(arena, request, { status: 202, upstream: { body: result, headers: [version] } })
  })
})
