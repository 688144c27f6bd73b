import type { Call } from '../core/call.ts'
import type { ProxyError } from '../core/errors.ts'
import type { Reply } from '../core/reply.ts'
import { createServerReply, type ServerReply } from '../http/server-reply.ts'
import { checkEndpoint, createEndpointRewriter } from '../mcp/endpoint-event.ts'
import { isModernRevision } from '../mcp/revision.ts'
import type { Exchange } from './exchange.ts'
import { refuse } from './refuse.ts'
import { endWithToken, lastsUntilEnded } from './stream-expiry.ts'

/** Sends a permitted call to its upstream. The answer takes the same way back, changed only where a wrapper below says so. */
export function forward(exchange: Exchange, call: Call): void {
  const reply = createReply(exchange)
  if (lastsUntilEnded(call)) endAtShutdown(exchange, reply)
  call.route.upstream.send(call, wrap(exchange, call, endWithToken(exchange, call, reply)))
}

function endAtShutdown({ edge, response }: Exchange, reply: ServerReply): void {
  const end = (): void => reply.close()
  edge.streamEnds.add(end)
  response.on('close', () => edge.streamEnds.delete(end))
}

function createReply(exchange: Exchange): ServerReply {
  const { record, edge } = exchange
  return createServerReply(exchange.response, {
    headers: exchange.answerHeaders,
    refuse: (error: ProxyError) => refuse(exchange, error),
    onCut(error) {
      record.code = error.code
      record.cause = error.cause
    },
    onFlush() {
      record.headersAfter = performance.now() - record.startedAt
    },
    stallMilliseconds: edge.limits.stalledClientSeconds * 1000,
  })
}

function wrap(exchange: Exchange, call: Call, reply: Reply): Reply {
  if (call.route.kind === 'sse') return rewriteEndpoint(exchange, call, reply)
  if (call.route.kind === 'messages' || isModernRevision(call.revision)) return dropSessionId(reply)
  return sealSessionId(exchange, call, reply)
}

/** "Do not mint or echo session IDs" (2026-07-28, streamable-http, Earlier Streamable HTTP Revisions). */
function dropSessionId(reply: Reply): Reply {
  return mapSessionId(reply, () => undefined)
}

/** A session id goes out sealed to the principal that opened the session. */
function sealSessionId(exchange: Exchange, call: Call, reply: Reply): Reply {
  return mapSessionId(reply, (id) => exchange.edge.seal.seal(id, 'mcp-session', call.route.server, call.principal))
}

function mapSessionId(reply: Reply, map: (id: string) => string | undefined): Reply {
  return {
    ...reply,
    start(status, headers) {
      const id = headers['mcp-session-id']
      // Removing a property makes an object slow, so none is removed that isn't there.
      if (id !== undefined) {
        const mapped = typeof id === 'string' ? map(id) : undefined
        if (mapped === undefined) delete headers['mcp-session-id']
        else headers['mcp-session-id'] = mapped
      }
      reply.start(status, headers)
    },
  }
}

/** The client posts to our message endpoint; where that leads on the upstream travels sealed in its query. */
function rewriteEndpoint(exchange: Exchange, call: Call, reply: Reply): Reply {
  const { route, principal } = call
  return createEndpointRewriter(reply, (uri) => {
    const target = Buffer.from(checkEndpoint(uri, route.upstreamUrl)).toString('base64url')
    const sealed = exchange.edge.seal.seal(target, 'sse-endpoint', route.server, principal)
    return `${route.messagesPath}?endpoint=${sealed}`
  })
}
