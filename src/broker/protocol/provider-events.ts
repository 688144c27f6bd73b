import type { IncomingMessage } from 'node:http'
import { errors, type KoaContextWithOIDC, type Provider } from 'oidc-provider'
import type { EndpointRequest } from '../../core/endpoint-request.ts'
import type { ProxyError } from '../../core/errors.ts'
import type { Registrations } from '../clients/registrations.ts'
import { IdentityProviderError } from '../identity-provider/error.ts'
import { findOutage } from '../storage/outage.ts'
import type { Revocations } from '../tokens/revocation.ts'

export interface ProviderEventOptions {
  readonly endpointRequests: WeakMap<IncomingMessage, EndpointRequest>
  /** Filled with the outages that requests met. */
  readonly outages: WeakMap<IncomingMessage, ProxyError>
  readonly revocations: Revocations
  readonly registrations: Registrations
  readonly onIssue: (message: string) => void
}

/** The provider's events for failed requests, by endpoint. */
const FAILURES = [
  'authorization.error',
  'grant.error',
  'registration_create.error',
  'revocation.error',
  'introspection.error',
  'discovery.error',
  'jwks.error',
] as const

/** Logs what the provider reports, and tells the rest of the broker of revoked and issued grants. */
export function observeProvider(provider: Provider, options: ProviderEventOptions): void {
  const { revocations, registrations, onIssue } = options
  observeFailures(provider, options)
  // An event of the web framework beneath, which writes to standard error unless there is a listener.
  ;(provider as unknown as NodeJS.EventEmitter).on('error', (error: Error) => onIssue(`broker: ${error.message}`))
  provider.on('grant.revoked', () => revocations.forget())
  provider.on('grant.success', (ctx) => {
    const clientId = ctx.oidc.client?.clientId
    if (clientId !== undefined)
      registrations
        .keep(clientId)
        .catch((error: Error) => onIssue(`broker: a registration could not be renewed: ${error.message}`))
  })
}

function observeFailures(provider: Provider, { endpointRequests, outages }: ProviderEventOptions): void {
  const noteOutage = ({ req }: KoaContextWithOIDC, error: Error): boolean => {
    const outage = findOutage(error)
    if (outage === undefined) return false
    outages.set(req, outage)
    endpointRequests.get(req)?.note(outage.code, outage.cause)
    return true
  }
  for (const name of FAILURES) {
    ;(provider as unknown as NodeJS.EventEmitter).on(name, (ctx: KoaContextWithOIDC, error: Error) => {
      if (!noteOutage(ctx, error)) noteFailure(endpointRequests.get(ctx.req), error)
    })
  }
  provider.on('server_error', (ctx, error) => {
    if (noteOutage(ctx, error)) return
    const incoming = endpointRequests.get(ctx.req)
    // An error that we throw ourselves is no bug.
    if (error instanceof errors.OIDCProviderError) return noteFailure(incoming, error)
    incoming?.note('internal_error', error)
  })
}

function noteFailure(incoming: EndpointRequest | undefined, error: Error): void {
  // Answered later: see workarounds/jwt-revocation-and-introspection.ts.
  if (error instanceof errors.UnsupportedTokenType) return
  if (error.cause instanceof IdentityProviderError) {
    incoming?.note('identity_provider_unavailable', error.cause)
    return
  }
  const { error: code, error_description: description, error_detail: detail } = error as Partial<errors.OIDCProviderError>
  incoming?.note('authorization_refused', [code ?? error.message, description, detail].filter(Boolean).join(': '))
}
