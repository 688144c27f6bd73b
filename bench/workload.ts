import { randomUUID } from 'node:crypto'
import type { TestIssuer } from '../test/support/tokens.ts'
import { calledTool, path, publicHost } from './plan.ts'

const bodyBytes = 300

/** A `tools/call` of exactly 300 bytes. */
export function formatCall(id: number | string, tool = calledTool): string {
  const format = (note: string): string =>
    JSON.stringify({
      jsonrpc: '2.0',
      id,
      method: 'tools/call',
      params: { name: tool, arguments: { city: 'Oslo', units: 'metric', days: 3, note }, _meta: { progressToken: 7 } },
    })
  return format('x'.repeat(bodyBytes - format('').length))
}

/** What a client of 2025-11-25 sends beside the token, `Host` and the length. */
export const clientHeaders: Readonly<Record<string, string>> = {
  'Content-Type': 'application/json',
  Accept: 'application/json, text/event-stream',
  'MCP-Protocol-Version': '2025-11-25',
  'User-Agent': 'bench/1.0',
}

/** Mints tokens for as many users, with the claims that identity providers usually put in. */
export async function mintTokens(issuer: TestIssuer, count: number): Promise<string[]> {
  const tokens: string[] = []
  for (let user = 0; user < count; user++) tokens.push(await issuer.mint({ claims: describeUser(user) }))
  return tokens
}

function describeUser(user: number): Record<string, unknown> {
  return {
    sub: randomUUID(),
    client_id: 'bench-client',
    scope: 'mcp weather:read calendar:read mail:read',
    email: `user-${user}@example.com`,
    name: `User Number ${user}`,
    groups: ['staff', 'engineering'],
    sid: randomUUID(),
    auth_time: Math.floor(Date.now() / 1000) - 60,
  }
}

/** A call as it goes over the wire. */
export function formatRequest(token: string, body: string, headers: Readonly<Record<string, string>> = clientHeaders): string {
  return `${formatHead('POST', token, { ...headers, 'Content-Length': String(Buffer.byteLength(body)) })}${body}`
}

/** The header section of a request, as it goes over the wire. */
export function formatHead(method: string, token: string, headers: Readonly<Record<string, string>>): string {
  const lines = Object.entries(headers).map(([name, value]) => `${name}: ${value}\r\n`)
  return `${method} ${path} HTTP/1.1\r\nHost: ${publicHost}\r\nAuthorization: Bearer ${token}\r\n${lines.join('')}\r\n`
}
