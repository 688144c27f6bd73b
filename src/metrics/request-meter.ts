import { MCP_METHODS } from '../core/mcp-methods.ts'
import type { Operation } from '../core/operation.ts'
import type { RequestObserver, RequestRecord } from '../core/record.ts'
import { createCounter } from './counter.ts'
import { createHistogram } from './histogram.ts'
import type { Metric } from './metric.ts'
import { createToolNames } from './tool-names.ts'

/** Counts finished requests. Labels hold what is configured, catalogued or bounded, never who asked. */
export function createRequestMeter(): { readonly observe: RequestObserver; readonly metrics: readonly Metric[] } {
  const requests = createCounter('mcp_auth_proxy_requests', 'Finished requests.', ['server', 'operation', 'decision', 'code'])
  const seconds = createHistogram('mcp_auth_proxy_request_seconds', 'Time until an answer was complete.', ['server', 'operation'])
  const tools = createCounter('mcp_auth_proxy_tool_calls', 'Calls of tools.', ['server', 'tool', 'decision'])
  const shadow = createCounter('mcp_auth_proxy_would_deny', 'Requests that shadow access or rules would have refused.', [
    'server',
  ])
  const names = createToolNames()
  return {
    metrics: [requests, seconds, tools, shadow],
    observe(record) {
      const { server = '', decision = '', code = '' } = record
      const operation = labelOperation(record)
      requests.add(server, operation, decision, code)
      seconds.observe(record.duration / 1000, [server, operation], record.requestId, record.trace)
      if (record.wouldDeny !== undefined && record.wouldDeny.length > 0) shadow.add(server)
      if (decision === '') return
      for (const { method, target } of record.operations)
        if (method === 'tools/call' && target !== undefined)
          tools.add(server, names.label(server, target, decision === 'permit'), decision)
    },
  }
}

/** The method; callers may send any. Empty where it is not known: a request that was refused before its body was read. */
function labelOperation({ operations, method }: RequestRecord): string {
  const [first, ...more] = operations
  if (more.length > 0 && more.some((other) => other.method !== first?.method)) return 'batch'
  if (first !== undefined) return labelMethod(first)
  return method === 'GET' || method === 'DELETE' ? method : ''
}

function labelMethod({ kind, method }: Operation): string {
  if (kind === 'response') return 'response'
  return MCP_METHODS.has(method) ? method : 'other'
}
