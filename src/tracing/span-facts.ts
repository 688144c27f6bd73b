import { type Attributes, type Span, SpanStatusCode } from '@opentelemetry/api'
import { MCP_METHODS } from '../core/mcp-methods.ts'
import type { Operation } from '../core/operation.ts'
import type { Called, TracedRequest } from '../core/request-trace.ts'

/** Clients choose names of tools and prompts. */
const MAX_NAME = 100

/**
 * `{mcp.method.name} {target}`, or `{http.request.method} {http.route}` for what is no message of MCP (semantic conventions for MCP and HTTP).
 * Only what was permitted is named by its target: other names may be anything, and there are many.
 */
export function nameRequest(request: Called | TracedRequest, route?: string): string {
  const method = findMethod(request.operations ?? [])
  if (method === undefined) return route === undefined ? request.method : `${request.method} ${route}`
  const target = isPermitted(request) ? findNames(request.operations ?? []) : {}
  return [method, ...Object.values(target)].join(' ')
}

function isPermitted(request: Called | TracedRequest): boolean {
  return !('decision' in request) || request.decision === 'permit'
}

/** What is known of a request, without who sent it and what they sent: no address, user, path, argument, URI or session. */
export function describeRequest(record: TracedRequest, route: string | undefined): Attributes {
  const { method, status, server, decision, decidedBy, code, reason, requestId } = record
  return {
    'http.request.method': method,
    ...(route !== undefined && { 'http.route': route }),
    ...(status > 0 && { 'http.response.status_code': status }),
    ...describeOperations(record.operations ?? []),
    ...(record.askedRevision !== undefined && { 'mcp.protocol.version': record.askedRevision }),
    'mcp_auth_proxy.request_id': requestId,
    ...(server !== undefined && { 'mcp_auth_proxy.server': server }),
    ...(decision !== undefined && { 'mcp_auth_proxy.decision': decision }),
    ...(decidedBy !== undefined && { 'mcp_auth_proxy.decided_by': decidedBy }),
    ...(code !== undefined && { 'mcp_auth_proxy.code': code }),
    ...(reason !== undefined && { 'mcp_auth_proxy.reason': reason }),
  }
}

export function describeCall({ operations, method, route }: Called): Attributes {
  return { 'http.request.method': method, ...describeOperations(operations), 'mcp_auth_proxy.server': route.server }
}

/** A refusal is an error of the span by its code. Who leaves a stream has not failed. */
export function markFailed(span: Span, { code, status }: TracedRequest): void {
  const type = code ?? (status >= 500 ? String(status) : undefined)
  if (type === undefined || type === 'client_gone') return
  span.setAttribute('error.type', type).setStatus({ code: SpanStatusCode.ERROR, message: type })
}

function describeOperations(operations: readonly Operation[]): Attributes {
  const method = findMethod(operations)
  if (method === undefined) return {}
  return { 'mcp.method.name': method, ...findNames(operations), ...(method === 'tools/call' && EXECUTES_TOOL) }
}

const EXECUTES_TOOL = { 'gen_ai.operation.name': 'execute_tool' }

/** The method of all messages; callers may send any. Undefined where there is no message. */
function findMethod(operations: readonly Operation[]): string | undefined {
  const [first, ...others] = operations
  if (first === undefined) return undefined
  if (others.some(({ method }) => method !== first.method)) return 'batch'
  if (first.kind === 'response') return 'response'
  return MCP_METHODS.has(first.method) ? first.method : 'other'
}

/** The one tool or prompt that is asked for. */
function findNames([first, ...others]: readonly Operation[]): Attributes {
  if (first?.target === undefined || others.length > 0) return {}
  const name = first.target.slice(0, MAX_NAME)
  if (first.method === 'tools/call') return { 'gen_ai.tool.name': name }
  return first.method === 'prompts/get' ? { 'gen_ai.prompt.name': name } : {}
}
