import type { Agent } from 'node:http'
import { type Outcome, send } from '../client.ts'
import { CLIENT_WAITS_MS } from './verdict.ts'

/** A user with a client. */
export interface Caller {
  readonly user: string
  /** The origin that the client knows. */
  readonly origin: string
  readonly agent: Agent
  /** Resolves when it is time for the next request. */
  pause(): Promise<unknown>
  /** Access token for the server on this path. */
  findToken(path: string): Promise<string>
}

const underWay = new Set<{ readonly since: number }>()

/** Does what takes a request or several, which counts as under way until then. */
export async function track<T>(work: () => Promise<T>): Promise<T> {
  const entry = { since: performance.now() }
  underWay.add(entry)
  try {
    return await work()
  } finally {
    underWay.delete(entry)
  }
}

/** Whether a request is under way that began before this moment (`performance.now()`). */
export function isAnyOlderThan(moment: number): boolean {
  return [...underWay].some(({ since }) => since < moment)
}

const ACCEPT = 'application/json, text/event-stream'

export interface McpSent {
  readonly method?: string
  /** A JSON-RPC message or batch. */
  readonly body?: unknown
  readonly headers?: Readonly<Record<string, string>>
  /** Instead of the caller's own. */
  readonly token?: string
}

/** Sends a request as a client does, for as long as clients wait. */
export async function sendAs(caller: Caller, path: string, { method = 'POST', body, headers, token }: McpSent): Promise<Outcome> {
  const { origin, agent } = caller
  const authorization = `Bearer ${token ?? (await caller.findToken(path))}`
  const options = {
    method,
    agent,
    headers: { host: new URL(origin).host, accept: ACCEPT, authorization, ...headers },
    ...(body !== undefined && { body: JSON.stringify(body) }),
    signal: AbortSignal.timeout(CLIENT_WAITS_MS),
  }
  return track(() => send(`${origin}${path}`, options))
}

export interface ToolCall {
  readonly jsonrpc: '2.0'
  readonly id: string
  readonly method: 'tools/call'
  readonly params: { readonly name: string; readonly arguments: object; readonly _meta?: object }
}

export function createCall(id: string, name: string, more: object = {}, _meta?: object): ToolCall {
  const params = { name, arguments: more, ...(_meta && { _meta }) }
  return { jsonrpc: '2.0', id, method: 'tools/call', params }
}
