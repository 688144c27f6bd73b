import type { Readable } from 'node:stream'
import type { Dispatcher } from 'undici'
import type { Call } from '../core/call.ts'
import { type Clock, systemClock } from '../core/clock.ts'
import { ProxyError } from '../core/errors.ts'
import { dropFields } from '../core/header-fields.ts'
import type { HttpUpstreamPlan } from '../core/plan/upstream-plan.ts'
import type { Upstream } from '../core/ports.ts'
import type { Reply } from '../core/reply.ts'
import { formatUpstreamOrigin } from '../core/upstream-address.ts'
import type { UpstreamState } from '../core/upstream-state.ts'
import { findAwaited } from './answer-type.ts'
import { createCircuit } from './circuit.ts'
import { closePool, createPool } from './connection-pool.ts'
import { createConnector } from './dial.ts'
import { type Repeats, ResponseHandler } from './response-handler.ts'
import { createTargetFormat } from './target.ts'

/** Longer request bodies are freed as soon as they are sent. */
const MAX_HELD_BYTES = 64 * 1024

export interface HttpUpstreamOptions {
  readonly clock?: Clock
  /** Called when the circuit opens, and when it closes again. */
  readonly onCircuit?: (state: UpstreamState) => void
}

/**
 * Forwards calls to an MCP server over HTTP. Bodies pass unchanged and at once, with back-pressure both ways; a redirect is an
 * error, unless it only adds or removes a final slash and the plan allows that. Otherwise a request is sent once more only where no byte
 * of it was sent, and nothing is sent while the server could not be reached a moment ago.
 *
 * @param plan - where it is, and how to connect
 */
export function createHttpUpstream(plan: HttpUpstreamPlan, options: HttpUpstreamOptions = {}): Upstream {
  const { clock = systemClock, onCircuit: onChange = () => undefined } = options
  const url = new URL(plan.url)
  const circuit = createCircuit(formatUpstreamOrigin(plan), { clock, connectSeconds: plan.connectSeconds, onChange })
  const pool = createPool(url.origin, createConnector(plan, circuit, clock))
  const own = Object.entries(plan.headers)
  const ownNames = new Set(own.map(([name]) => name))
  const formatTarget = createTargetFormat(url.pathname, url.search.slice(1))
  const dispatch = (call: Call, path: string, reply: Reply, repeats: Repeats): void => {
    const asked = { path, awaited: findAwaited(call), route: call.route, clock, onConnected: circuit.connected }
    try {
      pool.dispatch(formatRequest(call, path, own, ownNames), new ResponseHandler(reply, plan, asked, repeats))
    } catch (error) {
      reply.fail(new ProxyError('internal_error', { cause: error }))
    }
  }
  return {
    send(call, reply) {
      const refusal = circuit.findRefusal()
      if (refusal !== undefined) return reply.fail(refusal)
      const path = call.upstreamTarget ?? formatTarget(call.query)
      const follow = plan.followSlashRedirects ? (target: string) => dispatch(call, target, reply, ONCE) : undefined
      dispatch(call, path, reply, { follow, repeat: () => dispatch(call, path, reply, { follow, repeat: undefined }) })
    },
    state: circuit.state,
    close: (deadline) => closePool(pool, deadline, clock),
  }
}

const ONCE: Repeats = { follow: undefined, repeat: undefined }

function formatRequest(call: Call, path: string, own: OwnHeaders, ownNames: ReadonlySet<string>): Dispatcher.DispatchOptions {
  const { method, body = null } = call
  const headers = addOwnHeaders(call, own, ownNames)
  if (body === null || body.length <= MAX_HELD_BYTES) return { path, method, headers, body }
  return { path, method, headers: [...headers, 'content-length', String(body.length)], body: sendAndRelease(body) }
}

/** undici holds a body until the end of the answer, which for a stream may be never. It does not hold what it takes from an iterator. */
function sendAndRelease(body: Buffer): Readable {
  const pieces = [body]
  const next = (): IteratorResult<Buffer> => {
    const value = pieces.pop()
    return value === undefined ? { done: true, value } : { done: false, value }
  }
  // Its documentation permits iterables, its types don't.
  return { [Symbol.iterator]: () => ({ next }) } as unknown as Readable
}

type OwnHeaders = readonly (readonly [string, string])[]

/** Headers of the configuration replace those of the client with the same name. */
function addOwnHeaders(call: Call, own: OwnHeaders, ownNames: ReadonlySet<string>): string[] {
  if (own.length === 0) return call.headers as string[]
  const kept = dropFields(call.headers, ownNames)
  for (const [name, value] of own) kept.push(name, value)
  return kept
}
