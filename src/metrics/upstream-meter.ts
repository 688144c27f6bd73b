import type { Clock } from '../core/clock.ts'
import { PassingReply } from '../core/passing-reply.ts'
import type { Upstream } from '../core/ports.ts'
import type { Reply, ReplyHeaders } from '../core/reply.ts'
import type { RequestTrace } from '../core/request-trace.ts'
import { isEventStream } from '../mcp/endpoint-event.ts'
import { createGauge } from './gauge.ts'
import { createHistogram, type Histogram } from './histogram.ts'
import type { Metric } from './metric.ts'

/** Measures how long MCP servers take to begin an answer, and counts the event streams that are open. */
export interface UpstreamMeter {
  readonly metrics: readonly Metric[]
  /**
   * @param onClosed - called when it has ended
   * @returns an upstream that does the same and is measured
   */
  measure(upstream: Upstream, server: string, onClosed: () => void): Upstream
}

export function createUpstreamMeter(clock: Clock): UpstreamMeter {
  const seconds = createHistogram('mcp_auth_proxy_upstream_seconds', 'Time until an MCP server began its answer.', ['server'])
  const streams = new Map<string, number>()
  const count = (server: string, change: 1 | -1): void => void streams.set(server, (streams.get(server) ?? 0) + change)
  const open = createGauge('mcp_auth_proxy_open_streams', 'Event streams that are open to clients.', ['server'], () =>
    [...streams].map(([server, number]) => [[server], number]),
  )
  return {
    metrics: [seconds, open],
    measure(upstream, server, onClosed) {
      streams.set(server, streams.get(server) ?? 0)
      return {
        ...upstream,
        send(call, reply) {
          upstream.send(
            call,
            new MeasuredReply(reply, { seconds, count, clock, server, requestId: call.requestId, trace: call.trace }),
          )
        },
        close: (deadline) => upstream.close(deadline).finally(onClosed),
      }
    },
  }
}

interface Measurement {
  readonly seconds: Histogram
  readonly count: (server: string, change: 1 | -1) => void
  readonly clock: Clock
  readonly server: string
  readonly requestId: string
  readonly trace: RequestTrace | undefined
}

class MeasuredReply extends PassingReply {
  readonly #of: Measurement
  readonly #sentAt: number

  constructor(reply: Reply, of: Measurement) {
    super(reply)
    this.#of = of
    this.#sentAt = of.clock.monotonic()
  }

  override start(status: number, headers: ReplyHeaders): void {
    const { seconds, clock, server, requestId, trace, count } = this.#of
    seconds.observe((clock.monotonic() - this.#sentAt) / 1000, [server], requestId, trace?.ids)
    if (isEventStream(headers)) {
      count(server, 1)
      this.reply.onDone(() => count(server, -1))
    }
    super.start(status, headers)
  }
}
