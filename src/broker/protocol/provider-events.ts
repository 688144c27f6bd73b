import type { IncomingMessage } from 'node:http'
import { errors, type KoaContextWithOIDC, type Provider } from 'oidc-provider'
import type { EndpointRequest } from '../../core/endpoint-request.ts'
import type { ErrorCode, ProxyError } from '../../core/errors.ts'
import type { OnEvent } from '../../core/security-event.ts'
import type { Registrations } from '../clients/registrations.ts'
import { IdentityProviderError } from '../identity-provider/error.ts'
import { findOutage } from '../storage/outage.ts'
import type { Revocations } from '../tokens/revocation.ts'
import { readAuthorization, reportFailure, reportSuccesses } from './protocol-events.ts'

export interface ProviderEventOptions {
  readonly endpointRequests: WeakMap<IncomingMessage, EndpointRequest>
  /** Filled with the outages that requests met. */
  readonly outages: WeakMap<IncomingMessage, ProxyError>
  readonly revocations: Revocations
  readonly registrations: Registrations
  readonly report: OnEvent
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
  reportSuccesses(provider, options.report)
  provider.on('interaction.started', (ctx) => options.endpointRequests.get(ctx.req)?.noteParties(readAuthorization(ctx)))
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

function observeFailures(provider: Provider, { endpointRequests, outages, report }: ProviderEventOptions): void {
  const tell = (ctx: KoaContextWithOIDC, error: Error): void => {
    const failure = explainFailure(error)
    if (failure === undefined) return
    const { code, cause, outcome = code, outage } = failure
    if (outage !== undefined) outages.set(ctx.req, outage)
    endpointRequests.get(ctx.req)?.note(code, cause)
    reportFailure(ctx, { outcome, detail: cause instanceof Error ? cause.message : String(cause) }, report)
  }
  for (const name of FAILURES) (provider as unknown as NodeJS.EventEmitter).on(name, tell)
  provider.on('server_error', (ctx, error) => {
    // An error that we throw ourselves is no bug.
    const isExplained = findOutage(error) !== undefined || error instanceof errors.OIDCProviderError
    if (isExplained) return tell(ctx, error)
    endpointRequests.get(ctx.req)?.note('internal_error', error)
  })
}

/** Why a request failed: for the log by the catalogue, for events by OAuth's own code where it has one. */
interface Failure {
  readonly code: ErrorCode
  readonly cause: unknown
  readonly outcome?: string
  readonly outage?: ProxyError
}

/** @returns undefined for what is answered later: see workarounds/jwt-revocation-and-introspection.ts */
function explainFailure(error: Error): Failure | undefined {
  const outage = findOutage(error)
  if (outage !== undefined) return { code: outage.code, cause: outage.cause, outage }
  if (error instanceof errors.UnsupportedTokenType) return undefined
  if (error.cause instanceof IdentityProviderError) return { code: 'identity_provider_unavailable', cause: error.cause }
  const { error: oauthError, error_description: description, error_detail: detail } = error as Partial<errors.OIDCProviderError>
  const cause = [oauthError ?? error.message, description, detail].filter(Boolean).join(': ')
  return { code: 'authorization_refused', cause, ...(oauthError !== undefined && { outcome: oauthError }) }
}
