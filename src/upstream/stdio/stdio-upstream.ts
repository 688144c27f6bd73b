import type { Call } from '../../core/call.ts'
import { ProxyError } from '../../core/errors.ts'
import type { StdioUpstreamPlan } from '../../core/plan/upstream-plan.ts'
import type { Upstream } from '../../core/ports.ts'
import { formatPrincipalKey } from '../../core/principal.ts'
import type { Reply } from '../../core/reply.ts'
import { isModernRevision } from '../../mcp/revision.ts'
import type { SessionSeal } from '../../mcp/session-seal.ts'
import { DedicatedConnection } from './legacy/dedicated-connection.ts'
import { LegacyHttp, type StartConnection } from './legacy/legacy-http.ts'
import { SharedServer } from './legacy/shared-server.ts'
import { HttpSse } from './legacy/sse-session.ts'
import { ModernHttp } from './modern/modern-http.ts'
import { Spawner } from './process/spawner.ts'
import { HeldReply } from './stream/held-reply.ts'
import { Translation } from './translation/translation.ts'
import type { HeldMemory, MemoryShare } from './wire/held-memory.ts'

export interface StdioUpstreamOptions {
  /** The server's name, for messages. */
  readonly name: string
  /** Binds what the server mints to its owner. */
  readonly seal: SessionSeal
  /** What all bridges to processes may hold together. */
  readonly memory: HeldMemory
  /** A line that the server wrote to its standard error. */
  readonly onStderr: (line: string) => void
  /** What the operator should know: a child that could not be started, or ended by itself. */
  readonly onEvent: (event: string) => void
}

/** Milliseconds between two comments on a stream that is silent. */
const keepAliveMilliseconds = 15_000

/**
 * An MCP server that speaks over its standard streams, as an upstream for every endpoint of its server: Streamable HTTP of every
 * revision, and HTTP+SSE.
 *
 * @param plan - what to run, and how much of it
 * @param options - where its words go
 */
export function createStdioUpstream(plan: StdioUpstreamPlan, options: StdioUpstreamOptions): Upstream {
  const spawner = new Spawner({ plan, ...options })
  const bridges = createBridges(plan, spawner, options)
  const timers = startTimers(plan, bridges)
  return {
    send(call, reply) {
      const held = new HeldReply(reply, options.memory.open(options.name, formatPrincipalKey(call.principal)))
      handle(bridges, call, held).catch((error: unknown) => held.fail(toProxyError(error)))
    },
    async close(deadline) {
      for (const timer of timers) clearInterval(timer)
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
  const startMilliseconds = plan.startSeconds * 1000
  const openMemory = (principalKey: string): MemoryShare => memory.open(name, principalKey)
  const shared = new SharedServer(spawner, startMilliseconds)
  const startConnection: StartConnection = async (key, events) =>
    isShared ? shared.connect(events, openMemory(key)) : DedicatedConnection.start(spawner, key, startMilliseconds, events)
  const modern = new ModernHttp({
    spawner,
    isShared,
    startMilliseconds,
    seal,
    openMemory,
    createTranslation: (startChannel, toolsChanged) =>
      new Translation({ startChannel, startMilliseconds, isShared, toolsChanged }),
  })
  const findRevisions = (principalKey: string) => modern.findRevisions(principalKey)
  const legacy = new LegacyHttp({ startConnection, isShared, openMemory, findRevisions })
  const sse = new HttpSse(startConnection)
  spawner.onFull(() => (isShared ? shared.spares() : [...legacy.spares(), ...sse.spares()]))
  return { shared, legacy, sse, modern }
}

async function handle({ legacy, modern, sse }: Bridges, call: Call, reply: Reply): Promise<void> {
  if (call.route.kind === 'sse') return sse.open(call, reply)
  if (call.route.kind === 'messages') return sse.post(call, reply)
  return isModernRevision(call.revision) ? modern.handle(call, reply) : legacy.handle(call, reply)
}

function startTimers(plan: StdioUpstreamPlan, { shared, legacy, modern, sse }: Bridges): NodeJS.Timeout[] {
  const idleMilliseconds = plan.idleSeconds * 1000
  const keepAlive = (): void => {
    legacy.keepAlive()
    modern.keepAlive()
    sse.keepAlive()
  }
  const sweep = (): void => {
    legacy.sweep(idleMilliseconds)
    modern.sweep(idleMilliseconds)
    shared.sweep(idleMilliseconds)
  }
  const timers = [
    setInterval(keepAlive, keepAliveMilliseconds),
    setInterval(sweep, Math.max(50, Math.min(idleMilliseconds / 4, 30_000))),
  ]
  for (const timer of timers) timer.unref()
  return timers
}

function toProxyError(error: unknown): ProxyError {
  return error instanceof ProxyError ? error : new ProxyError('internal_error', { cause: error })
}
