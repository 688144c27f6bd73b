import { isDeepStrictEqual } from 'node:util'
import type { ServerPlan } from '../core/plan/server-plan.ts'
import type { StdioUpstreamPlan, UpstreamPlan } from '../core/plan/upstream-plan.ts'
import type { Upstream } from '../core/ports.ts'
import type { UpstreamState } from '../core/upstream-state.ts'
import type { Log } from '../telemetry/log.ts'
import { createHttpUpstream } from '../upstream/http-upstream.ts'
import { findProgramProblem } from '../upstream/stdio/process/find-program.ts'
import { createStdioUpstream } from '../upstream/stdio/stdio-upstream.ts'
import type { Foundation } from './foundation.ts'

/** The upstreams of one server. */
export interface ServerUpstreams {
  /** Made when it is first asked for. */
  find(plan: UpstreamPlan): Upstream
  /** The one that was made of an equal plan. */
  findEqual(plan: UpstreamPlan): Upstream | undefined
  list(): readonly Upstream[]
}

/**
 * Makes each upstream once: the endpoints that one process serves have the same plan. Takes over what was made of an equal plan before, with
 * its connections, processes and sessions.
 */
export function createUpstreams(server: string, foundation: Foundation, before: ServerUpstreams | undefined): ServerUpstreams {
  const upstreams = new Map<UpstreamPlan, Upstream>()
  return {
    find(plan) {
      const known = upstreams.get(plan)
      if (known !== undefined) return known
      const upstream = before?.findEqual(plan) ?? createMeasured(plan, server, foundation)
      upstreams.set(plan, upstream)
      return upstream
    },
    findEqual: (wanted) => [...upstreams].find(([plan]) => isDeepStrictEqual(plan, wanted))?.[1],
    list: () => [...upstreams.values()],
  }
}

function createMeasured(plan: UpstreamPlan, server: string, foundation: Foundation): Upstream {
  const plain = createUpstream(plan, server, foundation)
  const traced = foundation.tracing?.traceUpstream(plain, plan.kind) ?? plain
  return foundation.meters?.measureUpstream(traced, server) ?? traced
}

/** What keeps the programs of servers from being started, by server. */
export function listProgramProblems(servers: readonly ServerPlan[]): { readonly server: string; readonly problem: string }[] {
  return servers.flatMap(({ name, endpoints }) => {
    const problems = endpoints.map(({ upstream }) => (upstream.kind === 'stdio' ? findProgramProblem(upstream) : undefined))
    return [...new Set(problems)].flatMap((problem) => (problem === undefined ? [] : [{ server: name, problem }]))
  })
}

/** @throws Error that names the first that cannot be started */
export function checkPrograms(servers: readonly ServerPlan[]): void {
  const [first] = listProgramProblems(servers)
  if (first !== undefined) throw new Error(`The MCP server "${first.server}" cannot be started: ${first.problem}.`)
}

function createUpstream(plan: UpstreamPlan, server: string, foundation: Foundation): Upstream {
  switch (plan.kind) {
    case 'http':
      return createHttpUpstream(plan, { clock: foundation.clock, onCircuit: createCircuitLog(server, foundation.log) })
    case 'stdio':
      return createProcess(plan, server, foundation)
  }
}

/** One line when calls begin to be refused, one when they no longer are. */
function createCircuitLog(server: string, { logger }: Log): (state: UpstreamState) => void {
  return ({ circuit, address, lastFailure }) => {
    const facts = { server, upstream: address, cause: lastFailure?.cause }
    if (circuit === 'closed') logger.info(facts, 'the MCP server can be reached again')
    else logger.warn(facts, 'the MCP server cannot be reached: calls are refused at once, but for one every five seconds')
  }
}

function createProcess(plan: StdioUpstreamPlan, server: string, { log, heldMemory, seal, meters }: Foundation): Upstream {
  return createStdioUpstream(plan, {
    name: server,
    seal,
    memory: heldMemory,
    onStderr: (line) => log.logger.info({ server, stderr: line }, 'said by the MCP server'),
    onProcess: meters?.watchProcesses(server),
    onEvent: (event) => log.logger.warn({ server, event }, 'a process of the MCP server ended or could not be started'),
  })
}
