import type { CallerVariables } from './caller-variables.ts'
import type { DeclaredCapabilities } from './declared-capabilities.ts'
import type { Operation, TextSpan } from './operation.ts'
import type { Principal } from './principal.ts'
import type { RequestTrace } from './request-trace.ts'
import type { RouteFacts } from './route-facts.ts'

/** What a call has of limits on calls at a time, while it runs. */
export interface KeptPlaces {
  /** The MCP server goes on with the call when its client has left: what it has is kept until that is over, too. */
  keepUntil(over: Promise<void>): void
}

/** An authenticated request with its operations: what policy decides on and an upstream receives. */
export interface Call {
  readonly requestId: string
  readonly route: RouteFacts
  readonly principal: Principal
  /** `GET`, `POST` or `DELETE`. */
  readonly method: string
  /** The query as the client sent it, without `?` and without an access token; undefined when there is none. */
  readonly query: string | undefined
  /** What the body asks for; empty for GET and DELETE. */
  readonly operations: readonly Operation[]
  /** Where the `arguments` of calls of tools and uses of prompts stand in the body, in their order; undefined for one that has none. */
  readonly argumentSpans?: readonly (TextSpan | undefined)[] | undefined
  /** Whether the body was a JSON array (a batch, 2025-03-26 only). */
  readonly isBatch: boolean
  /** Protocol revision that applies, for example `2025-11-25`. */
  readonly revision: string
  /** The MCP session that the upstream knows, seal removed (revisions 2025-03-26 to 2025-11-25, HTTP+SSE). */
  readonly mcpSessionId: string | undefined
  /** In that session; for `initialize`, what the client declares. */
  readonly declared: DeclaredCapabilities
  /** Request headers for the upstream, alternating names (lower case) and values. Hop-by-hop and identity headers are gone. */
  readonly headers: readonly string[]
  /** The body's original bytes; undefined when the method has none. */
  readonly body: Buffer | undefined
  /** For the `messages` endpoint of HTTP+SSE: path and query on the upstream that the `endpoint` event named. */
  readonly upstreamTarget: string | undefined
  /** What a process finds in its environment that is started for the call; undefined where that says nothing of the caller. */
  readonly callerVariables?: CallerVariables | undefined
  /** What it has of the rate limits; undefined where nothing is limited. */
  readonly admission?: KeptPlaces | undefined
  /** Undefined while tracing is off. */
  readonly trace?: RequestTrace | undefined
}

/** The call with another body, in which the arguments may stand elsewhere: a decision made anew has to look for them. */
export function withBody<Given extends Call>(call: Given, body: Buffer | undefined): Given {
  return { ...call, body, argumentSpans: undefined }
}

/** Bytes of a request body that are held for as long as the answer takes. */
const MAX_HELD_BYTES = 64 * 1024

/** The call for what lasts as long as its answer, which may be hours. A short body costs less than to make another call without it. */
export function withoutLongBody<Given extends Call>(call: Given): Given {
  return call.body === undefined || call.body.length <= MAX_HELD_BYTES ? call : withBody(call, undefined)
}

/**
 * Streams without an end of their own. They must not hold up a shutdown nor outlive their token, and nothing is lost when they end.
 */
export function lastsUntilEnded(call: Call): boolean {
  return call.method === 'GET' || findListen(call) !== undefined
}

/** Whether it opens an MCP session of Streamable HTTP. The answer in a batch (2025-03-26 forbids it there) is not read. */
export function opensSession({ route, operations, isBatch }: Call): boolean {
  return route.kind === 'streamable_http' && !isBatch && operations[0]?.method === 'initialize'
}

export function findListen({ operations }: Call): Operation | undefined {
  return operations.find(({ method }) => method === 'subscriptions/listen')
}
