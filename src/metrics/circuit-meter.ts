import type { Upstream } from '../core/ports.ts'
import { createGauge } from './gauge.ts'
import type { Metric } from './metric.ts'

/** Tells which MCP servers could not be reached, so that calls of them are refused at once. */
export interface CircuitMeter {
  readonly metrics: readonly Metric[]
  /** Reads the circuit of an upstream for as long as it is open. */
  watch(upstream: Upstream, server: string): void
  forget(upstream: Upstream): void
}

export function createCircuitMeter(): CircuitMeter {
  const watched = new Map<Upstream, string>()
  const help = 'Whether calls are refused at once, since the MCP server could not be reached: 1 or 0.'
  return {
    metrics: [createGauge('mcp_auth_proxy_upstream_circuit_open', help, ['server'], () => [...findOpen(watched)])],
    watch(upstream, server) {
      if (upstream.state !== undefined) watched.set(upstream, server)
    },
    forget: (upstream) => void watched.delete(upstream),
  }
}

/** A server may have several upstreams: one for each endpoint, and while it is replaced. */
function* findOpen(watched: ReadonlyMap<Upstream, string>): Generator<[[string], number]> {
  const upstreams = Map.groupBy(watched.keys(), (upstream) => watched.get(upstream) ?? '')
  for (const [server, own] of upstreams) yield [[server], own.some((upstream) => upstream.state?.().circuit !== 'closed') ? 1 : 0]
}
