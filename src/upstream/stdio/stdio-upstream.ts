import type { Call } from '../../core/call.ts'
import { ProxyError } from '../../core/errors.ts'
import type { StdioUpstreamPlan } from '../../core/plan.ts'
import type { Upstream } from '../../core/ports.ts'
import type { Reply } from '../../core/reply.ts'
import { isModernRevision } from '../../mcp/revision.ts'
import { LegacyHttp, type StartPeer } from './legacy-http.ts'
import { OwnPeer } from './own-peer.ts'
import { Spawner } from './spawner.ts'

export interface StdioUpstreamOptions {
  /** The server's name, for messages. */
  readonly name: string
  /** A line that the server wrote to its standard error. */
  readonly onStderr: (line: string) => void
  /** What the operator should know. */
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
  const startPeer: StartPeer = (key, _initialize, events) => OwnPeer.start(spawner, key, events)
  const legacy = new LegacyHttp(startPeer)
  const idleMilliseconds = plan.idleSeconds * 1000
  const timers = [
    setInterval(() => legacy.keepAlive(), keepAliveMilliseconds),
    setInterval(() => legacy.sweep(idleMilliseconds), Math.max(50, Math.min(idleMilliseconds / 4, 30_000))),
  ]
  for (const timer of timers) timer.unref()

  const handle = async (call: Call, reply: Reply): Promise<void> => {
    if (isModernRevision(call.revision)) throw new ProxyError('method_not_allowed')
    return legacy.handle(call, reply)
  }

  return {
    send(call, reply) {
      handle(call, reply).catch((error: unknown) => reply.fail(toProxyError(error)))
    },
    async close(deadline) {
      for (const timer of timers) clearInterval(timer)
      legacy.close()
      await spawner.close(deadline)
    },
  }
}

function toProxyError(error: unknown): ProxyError {
  return error instanceof ProxyError ? error : new ProxyError('internal_error', { cause: error })
}
