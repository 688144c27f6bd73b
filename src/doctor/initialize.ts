import { isObject } from '../core/is-object.ts'

/** The first request of a client of 2025-11-25, and of 2026-07-28; what an answer to either looks like. */

export const INITIALIZE_PARAMS = {
  protocolVersion: '2025-11-25',
  capabilities: {},
  clientInfo: { name: 'open-mcp-auth-proxy-doctor', version: '1' },
}

export const INITIALIZE = JSON.stringify({ jsonrpc: '2.0', id: 1, method: 'initialize', params: INITIALIZE_PARAMS })

/** `_meta` of each request of 2026-07-28. */
export const MODERN_META = {
  'io.modelcontextprotocol/protocolVersion': '2026-07-28',
  'io.modelcontextprotocol/clientInfo': { name: 'open-mcp-auth-proxy-doctor', version: '1' },
  'io.modelcontextprotocol/clientCapabilities': {},
}

export const DISCOVER = JSON.stringify({ jsonrpc: '2.0', id: 1, method: 'server/discover', params: { _meta: MODERN_META } })

export const MCP_HEADERS = { 'content-type': 'application/json', accept: 'application/json, text/event-stream' }

export const DISCOVER_HEADERS = { ...MCP_HEADERS, 'mcp-protocol-version': '2026-07-28', 'mcp-method': 'server/discover' }

/** A JSON-RPC response. */
export interface RpcAnswer {
  readonly result: Readonly<Record<string, unknown>> | undefined
  readonly error: Readonly<Record<string, unknown>> | undefined
}

/** Finds the JSON-RPC response in a body, be it JSON or an event stream. Requests and notifications may come before it. */
export function findRpcAnswer(body: string): RpcAnswer | undefined {
  const events = body.split(/\r\n|\r|\n/).filter((line) => line.startsWith('data:'))
  for (const text of [body, ...events.map((line) => line.slice(5))]) {
    const answer = parseRpcAnswer(text)
    if (answer !== undefined) return answer
  }
  return undefined
}

function parseRpcAnswer(text: string): RpcAnswer | undefined {
  try {
    const value: unknown = JSON.parse(text)
    if (!isObject(value) || value.jsonrpc !== '2.0') return undefined
    const answer = {
      result: isObject(value.result) ? value.result : undefined,
      error: isObject(value.error) ? value.error : undefined,
    }
    return answer.result === undefined && answer.error === undefined ? undefined : answer
  } catch {
    return undefined
  }
}
