import type { Upstream } from '../core/ports.ts'
import type { ProcessChange, UpstreamUsage } from '../core/upstream-usage.ts'
import { createCounter } from './counter.ts'
import { createGauge, type Reading } from './gauge.ts'
import type { Metric } from './metric.ts'

/** Counts processes of MCP servers over standard streams, and the MCP sessions that they have. */
export interface StdioMeter {
  readonly metrics: readonly Metric[]
  /** @returns counts each start and each end */
  watchProcesses(server: string): (change: ProcessChange) => void
  /** Reads what an upstream uses for as long as it is open. */
  watchUsage(upstream: Upstream, server: string): void
  forget(upstream: Upstream): void
}

const ENDS = ['ended', 'crashed', 'start_failed'] as const

export function createStdioMeter(): StdioMeter {
  const starts = createCounter('mcp_auth_proxy_stdio_starts', 'Starts of processes of MCP servers.', ['server'])
  const exits = createCounter('mcp_auth_proxy_stdio_exits', 'Ends of processes of MCP servers.', ['server', 'outcome'])
  const watched = new Map<Upstream, string>()
  const gauge = (name: string, help: string, of: keyof UpstreamUsage): Metric =>
    createGauge(name, help, ['server'], () => sumUsage(watched, of))
  return {
    metrics: [
      starts,
      exits,
      gauge('mcp_auth_proxy_stdio_processes', 'Processes of MCP servers that run.', 'processes'),
      gauge('mcp_auth_proxy_stdio_processes_limit', 'Processes of MCP servers that may run.', 'maxProcesses'),
      gauge('mcp_auth_proxy_mcp_sessions', 'MCP sessions that are open at stdio servers.', 'sessions'),
    ],
    watchProcesses(server) {
      starts.begin(server)
      for (const outcome of ENDS) exits.begin(server, outcome)
      return (change) => (change === 'started' ? starts.add(server) : exits.add(server, change))
    },
    watchUsage(upstream, server) {
      if (upstream.usage !== undefined) watched.set(upstream, server)
    },
    forget: (upstream) => void watched.delete(upstream),
  }
}

/** A server may have several upstreams: one for each endpoint, and while it is replaced. */
function sumUsage(watched: ReadonlyMap<Upstream, string>, of: keyof UpstreamUsage): Reading[] {
  const sums = new Map<string, number>()
  for (const [upstream, server] of watched) sums.set(server, (sums.get(server) ?? 0) + (upstream.usage?.()[of] ?? 0))
  return [...sums].map(([server, sum]) => [[server], sum])
}
