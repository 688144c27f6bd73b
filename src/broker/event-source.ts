import { AsyncLocalStorage } from 'node:async_hooks'
import type { EndpointHandler, EndpointRequest } from '../core/endpoint-request.ts'
import { type ErrorCode, toProxyError } from '../core/errors.ts'
import type { OnEvent, SecurityEvent } from '../core/security-event.ts'
import type { Resources } from './clients/resources.ts'

/** The events of the broker, with the request in which they happen. */
export interface EventSource {
  /** Adds to an event what the broker knows: the request, its own issuer, the server behind the resource. */
  readonly report: OnEvent
  /**
   * Wraps an endpoint: each of its requests that fails is an event.
   *
   * @param kind - what a request fails to do; undefined for an endpoint whose failures are no events
   */
  watch(kind: FindFailedKind, handle: EndpointHandler): EndpointHandler
}

/** What can fail before anything is known but the endpoint. */
export type FailedKind =
  | 'authorization'
  | 'sign_in'
  | 'consent'
  | 'registration'
  | 'token_issued'
  | 'token_revoked'
  | 'account_connected'

export type FindFailedKind = (incoming: EndpointRequest) => FailedKind | undefined

interface Underway {
  readonly incoming: EndpointRequest
  /** Whether a failure was reported with more than is known here. */
  isReported: boolean
}

export function createEventSource(onEvent: OnEvent, issuer: string, resources: Resources): EventSource {
  const underway = new AsyncLocalStorage<Underway>()
  const report = (event: SecurityEvent): void => {
    const current = underway.getStore()
    if (current !== undefined && event.outcome !== 'success') current.isReported = true
    const { resource, kind, subject, clientId, scopes } = event
    current?.incoming.noteParties({ issuer, subject, clientId, scopes, events: [kind] })
    const server = resource === undefined ? undefined : resources.find(resource)?.name
    const { address, requestId } = current?.incoming ?? {}
    onEvent({ issuer, server, address, requestId, ...event })
  }
  return {
    report,
    watch: (findKind, handle) => (incoming) => {
      let failure: { readonly code: ErrorCode; readonly cause?: unknown } | undefined
      const watched: EndpointRequest = {
        ...incoming,
        note(code, cause) {
          failure = { code, cause }
          incoming.note(code, cause)
        },
        noteParties: (parties) => incoming.noteParties({ issuer, ...parties }),
      }
      const current: Underway = { incoming, isReported: false }
      return underway.run(current, async () => {
        try {
          await handle(watched)
        } catch (error) {
          failure = toProxyError(error)
          throw error
        } finally {
          const kind = failure && !current.isReported ? findKind(incoming) : undefined
          if (failure && kind) report({ kind, outcome: failure.code, detail: describe(failure.cause) })
        }
      })
    },
  }
}

function describe(cause: unknown): string | undefined {
  if (cause === undefined) return undefined
  return cause instanceof Error ? cause.message : String(cause)
}
