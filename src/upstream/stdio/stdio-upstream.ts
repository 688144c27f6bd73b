import type { Call } from '../../core/call.ts'
import type { CancelTimer, Clock } from '../../core/clock.ts'
import { toProxyError } from '../../core/errors.ts'
import type { HeldMemory, MemoryShare } from '../../core/held-memory.ts'
import type { StdioUpstreamPlan } from '../../core/plan/upstream-plan.ts'
import type { Upstream } from '../../core/ports.ts'
import { formatPrincipalKey } from '../../core/principal.ts'
import type { Reply } from '../../core/reply.ts'
import type { ProcessChange } from '../../core/upstream-usage.ts'
import { isModernRevision } from '../../mcp/revision.ts'
import type { SessionSeal } from '../../mcp/session-seal.ts'
import { DedicatedConnection } from './legacy/dedicated-connection.ts'
import { HttpSse } from './legacy/http-sse.ts'
import { LegacyHttp, type StartConnection } from './legacy/legacy-http.ts'
import { SharedServer } from './legacy/shared-server.ts'
import { ModernHttp } from './modern/modern-http.ts'
import type { ProcessOwner } from './process/process-owner.ts'
import { Spawner } from './process/spawner.ts'
import { HeldReply } from './stream/held-reply.ts'
import { Translation, toInitializeParams } from './translation/translation.ts'

export interface StdioUpstreamOptions {
  /** The server's name, for messages. */
  readonly name: string
  /** Binds ids that the server creates to their owner. */
  readonly seal: SessionSeal
  /** The account that all stdio servers share. */
  readonly memory: HeldMemory
  /** Called with each line that the server writes to its standard error. */
  readonly onStderr: (line: string) => void
  /** Called with what the operator should know: a process that could not be started, or ended unexpectedly. */
  readonly onEvent: (event: string) => void
  /** Called with each start and each end of a process. */
  readonly onProcess?: ((change: ProcessChange) => void) | undefined
  readonly clock?: Clock
}

/** Time between two comments on an event stream. */
const KEEP_ALIVE_MS = 15_000
const MIN_SWEEP_MS = 50
const MAX_SWEEP_MS = 30_000

/**
 * An MCP server that speaks over its standard streams, as an upstream for every endpoint of its server: Streamable HTTP of every
 * revision, and HTTP+SSE.
 *
 * @param plan - what to run, and how much of it
 * @param options - what it shares with other servers, and where its log lines go
 */
export function createStdioUpstream(plan: StdioUpstreamPlan, options: StdioUpstreamOptions): Upstream {
  const spawner = new Spawner({ plan, ...options })
  const bridges = createBridges(plan, spawner, options)
  const timers = startTimers(plan, spawner.clock, bridges)
  return {
    send(call, reply) {
      const held = new HeldReply(reply, options.memory.open(options.name, formatPrincipalKey(call.principal)))
      handle(bridges, call, held).catch((error: unknown) => held.fail(toProxyError(error)))
    },
    usage: () => ({
      sessions: bridges.legacy.sessions + bridges.sse.sessions,
      processes: spawner.processes,
      maxProcesses: plan.maxProcesses,
    }),
    listProcesses: () => spawner.listProcesses(),
    async close(deadline) {
      for (const cancel of timers) cancel()
      bridges.legacy.close()
      bridges.sse.close()
      await spawner.close(deadline)
    },
  }
}

interface Bridges {
  readonly shared: SharedServer
  readonly legacy: LegacyHttp
  readonly modern: ModernHttp
  readonly sse: HttpSse
}

function createBridges(plan: StdioUpstreamPlan, spawner: Spawner, { name, seal, memory }: StdioUpstreamOptions): Bridges {
  const isShared = plan.processPer === 'shared'
  const startMs = plan.startSeconds * 1000
  const { clock } = spawner
  const openMemory = (principalKey: string): MemoryShare => memory.open(name, principalKey)
  const shared = new SharedServer(spawner, startMs)
  const startConnection: StartConnection = async (owner, events) =>
    isShared
      ? shared.connect(events, openMemory(owner.key))
      : DedicatedConnection.start({ source: spawner, owner, startMs }, events)
  const modern = new ModernHttp({
    source: spawner,
    isShared,
    startMs,
    seal,
    openMemory,
    toInitializeParams: (envelope) => toInitializeParams(envelope, isShared),
    createTranslation: (startChannel, toolsChanged) => new Translation({ clock, startChannel, startMs, isShared, toolsChanged }),
  })
  const findRevisions = (owner: ProcessOwner) => modern.findRevisions(owner)
  const legacy = new LegacyHttp({ clock, startConnection, isShared, openMemory, findRevisions })
  const sse = new HttpSse(clock, startConnection)
  spawner.onFull(() => (isShared ? shared.spares() : [...legacy.spares(), ...sse.spares()]))
  return { shared, legacy, sse, modern }
}

async function handle({ legacy, modern, sse }: Bridges, call: Call, reply: Reply): Promise<void> {
  if (call.route.kind === 'sse') return sse.open(call, reply)
  if (call.route.kind === 'messages') return sse.post(call, reply)
  return isModernRevision(call.revision) ? modern.handle(call, reply) : legacy.handle(call, reply)
}

function startTimers(plan: StdioUpstreamPlan, clock: Clock, { shared, legacy, modern, sse }: Bridges): CancelTimer[] {
  const idleMs = plan.idleSeconds * 1000
  const keepAlive = (): void => {
    legacy.keepAlive()
    modern.keepAlive()
    sse.keepAlive()
  }
  const sweep = (): void => {
    legacy.sweep(idleMs)
    modern.sweep(idleMs)
    shared.sweep(idleMs)
  }
  const sweepMs = Math.max(MIN_SWEEP_MS, Math.min(idleMs / 4, MAX_SWEEP_MS))
  return [clock.every(KEEP_ALIVE_MS, keepAlive), clock.every(sweepMs, sweep)]
}
