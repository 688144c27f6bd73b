import { expect } from 'vitest'

/** Messages of clients, as the text of a body. */

export interface Spoken {
  readonly body: string
  readonly headers: readonly string[]
}

const format = (method: string, params: unknown, id: unknown): string =>
  JSON.stringify({ jsonrpc: '2.0', ...(id !== undefined && { id }), method, ...(params !== undefined && { params }) })

export const ask = (method: string, params?: unknown, id: unknown = 7): string => format(method, params, id)
export const notify = (method: string, params?: unknown): string => format(method, params, undefined)
export const call = (name: string, args?: unknown, id: unknown = 7): string =>
  ask('tools/call', { name, ...(args !== undefined && { arguments: args }) }, id)
/** A call whose arguments stand there as they are written. */
export const callRaw = (name: string, args: string, id = 7): string =>
  `{"jsonrpc":"2.0","id":${id},"method":"tools/call","params":{"name":${JSON.stringify(name)},"arguments":${args}}}`
export const getPrompt = (name: string, args?: unknown): string =>
  ask('prompts/get', { name, ...(args !== undefined && { arguments: args }) })
export const read = (uri: string): string => ask('resources/read', { uri })
export const completePrompt = (name: string): string =>
  ask('completion/complete', { ref: { type: 'ref/prompt', name }, argument: { name: 'a', value: 'x' } })
export const completeTemplate = (uri: string, name = 'id', value = ''): string =>
  ask('completion/complete', { ref: { type: 'ref/resource', uri }, argument: { name, value } })
export const batch = (...messages: readonly string[]): string => `[${messages.join(',')}]`

export const unknownTool = (name: string, id: unknown = 7) => ({ id, error: { code: -32602, message: `Unknown tool: ${name}` } })
export const unknownPrompt = (name: string, id: unknown = 7) => ({
  id,
  error: { code: -32602, message: `Unknown prompt: ${name}` },
})
export const unknownResource = (uri: string, code = -32002, id: unknown = 7) => ({
  id,
  error: { code, message: 'Resource not found', data: { uri } },
})
/** What a message gets that was refused because of another one of its batch. */
export const notProcessed = (id: unknown) => ({ id, error: expect.objectContaining({ code: -32600 }) })

/** The message as a client of the revision sends it, with the headers that this needs. */
export function speak(revision: string, body: string): Spoken {
  const version = `MCP-Protocol-Version: ${revision}`
  if (revision !== '2026-07-28') return { body, headers: [version] }
  const { params = {}, ...message } = JSON.parse(body)
  const meta = { 'io.modelcontextprotocol/protocolVersion': revision }
  const name = NAMED.has(message.method) ? [`Mcp-Name: ${params.name ?? params.uri}`] : []
  return {
    body: JSON.stringify({ ...message, params: { ...params, _meta: meta } }),
    headers: [version, `Mcp-Method: ${message.method}`, ...name],
  }
}

const NAMED: ReadonlySet<string> = new Set(['tools/call', 'prompts/get', 'resources/read'])
