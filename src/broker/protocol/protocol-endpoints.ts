import type { IncomingMessage } from 'node:http'
import type { KoaContextWithOIDC, Provider } from 'oidc-provider'
import { BROKER_PATHS } from '../../core/broker-paths.ts'
import type { EndpointHandler, EndpointRequest } from '../../core/endpoint-request.ts'
import type { SigningKeys } from '../../oauth/signing-keys.ts'
import type { Registrations } from '../clients/registrations.ts'
import type { BrowserCookie } from '../pages/browser-cookie.ts'
import type { Revocations } from '../tokens/revocation.ts'
import { type EndpointLimits, findLimit, sendTooManyRequests } from './endpoint-limits.ts'
import { redirectFormToQuery } from './endpoint-methods.ts'
import type { Middleware } from './middlewares.ts'
import { createProvider, type ProviderOptions } from './oidc-provider.ts'
import { guardAgainstOpenRedirects } from './open-redirect-guard.ts'
import { createErrorRenderer } from './provider-error-page.ts'
import { observeProvider } from './provider-events.ts'
import { createResumeEndpoint } from './resume-endpoint.ts'
import { type OutageNotes, sayOutages } from './store-outage.ts'

export interface ProtocolEndpointsOptions {
  readonly provider: ProviderOptions
  readonly keys: SigningKeys
  readonly revocations: Revocations
  readonly registrations: Registrations
  readonly browserCookie: BrowserCookie
  readonly limits: EndpointLimits
  /** Middlewares around the endpoints, the outermost first. */
  readonly middlewares: readonly Middleware[]
  readonly onIssue: (message: string) => void
}

/** The endpoints that the provider library answers, under our public URL whatever the requests say. */
export interface ProtocolEndpoints {
  /** Answers at the protocol's endpoints. */
  readonly handle: EndpointHandler
  /** Continues an authorization request after sign-in and consent. */
  readonly handleResume: EndpointHandler
  /** Answers with the metadata, at every path where clients look for it. */
  readonly handleMetadata: EndpointHandler
  /** Makes a request look like one to our public URL. */
  usePublicUrl(request: IncomingMessage): void
  findProvider(): Provider
  /** Takes new keys into use, our own or those of another process. */
  renewKeys(): Promise<void>
}

const { authorization, introspection, registration } = BROKER_PATHS.provider

export function createProtocolEndpoints(options: ProtocolEndpointsOptions): ProtocolEndpoints {
  const { keys, browserCookie, limits, registrations } = options
  const { plan, clock } = options.provider
  const running = createRunningProvider(options)
  const { pass, isFromKnownClient, findProvider } = running
  const register = async (incoming: EndpointRequest) => {
    const seconds = await registrations.admit(incoming.address, () => pass(incoming))
    if (seconds !== undefined) sendTooManyRequests(incoming, { code: 'registration_limited', seconds }, plan)
  }
  // MCP servers of the configuration ask for every call. Other clients only guess (RFC 6749 §2.3.1), or registered themselves.
  const introspect = async (incoming: EndpointRequest) => {
    const seconds = limits.unknownIntrospections.check(incoming.address)
    if (seconds !== undefined) return sendTooManyRequests(incoming, { code: 'token_requests_limited', seconds }, plan)
    await pass(incoming)
    if (!isFromKnownClient(incoming.request)) limits.unknownIntrospections.count(incoming.address)
  }
  return {
    usePublicUrl: running.usePublicUrl,
    findProvider,
    async handle(incoming) {
      if (isPostTo(registration, incoming)) return register(incoming)
      if (isPostTo(introspection, incoming)) return introspect(incoming)
      const limit = findLimit(incoming, limits)
      if (limit !== undefined) return sendTooManyRequests(incoming, limit, plan)
      return isPostTo(authorization, incoming) ? redirectFormToQuery(incoming) : pass(incoming)
    },
    handleResume: createResumeEndpoint({ plan, browserCookie, clock, pass, findProvider }),
    handleMetadata(incoming) {
      incoming.request.url = '/.well-known/oauth-authorization-server'
      return pass(incoming)
    },
    async renewKeys() {
      const [before] = keys.current
      if (!(await keys.renew())) return
      running.recreate()
      const [{ kid: keyId }] = keys.current
      if (keyId !== before.kid) options.provider.report({ kind: 'key_rotated', outcome: 'success', keyId })
    },
  }
}

function isPostTo(endpoint: string, { request, path }: EndpointRequest): boolean {
  return request.method === 'POST' && path === endpoint
}

/** The provider with the current keys, and what is known of the requests that it is answering. */
function createRunningProvider(options: ProtocolEndpointsOptions) {
  const { keys, revocations, registrations, onIssue } = options
  const { plan } = options.provider
  const endpointRequests = new WeakMap<IncomingMessage, EndpointRequest>()
  const fromKnownClients = new WeakSet<IncomingMessage>()
  const outages: OutageNotes = { told: new WeakMap(), unanswered: new WeakMap() }
  const isKnown = (clientId: unknown) => plan.clients.some(({ id }) => id === clientId)
  const findRequestId = (request: IncomingMessage) => endpointRequests.get(request)?.requestId ?? ''
  const middlewares = [
    sayOutages(outages),
    guardAgainstOpenRedirects({ isKnown, brand: plan.brand, findRequestId }),
    noteKnownClients(fromKnownClients, isKnown),
    ...options.middlewares,
  ]
  const renderError = createErrorRenderer(findRequestId, plan)
  const create = () => {
    const provider = createProvider(options.provider, { middlewares, renderError }, keys.current)
    observeProvider(provider, {
      endpointRequests,
      outages: outages.told,
      revocations,
      registrations,
      report: options.provider.report,
      onIssue,
    })
    return provider
  }
  let provider = create()
  const publicUrl = new URL(plan.issuer)
  const usePublicUrl = (request: IncomingMessage) => replaceUrlHeaders(request, publicUrl)
  return {
    usePublicUrl,
    findProvider: () => provider,
    isFromKnownClient: (request: IncomingMessage) => fromKnownClients.has(request),
    recreate() {
      provider = create()
    },
    async pass(incoming: EndpointRequest): Promise<void> {
      usePublicUrl(incoming.request)
      endpointRequests.set(incoming.request, incoming)
      await provider.callback()(incoming.request, incoming.response)
      const outage = outages.unanswered.get(incoming.request)
      if (outage !== undefined) throw outage
    },
  }
}

/** Notes introspection requests of authenticated clients that the configuration names. */
function noteKnownClients(known: WeakSet<IncomingMessage>, isKnown: (clientId: unknown) => boolean): Middleware {
  return async (ctx, next) => {
    await next()
    const { oidc } = ctx as Partial<KoaContextWithOIDC>
    if (ctx.path === introspection && ctx.status < 400 && isKnown(oidc?.client?.clientId)) known.add(ctx.req)
  }
}

/** The provider builds its URLs from the host and scheme that the request names. These are untrusted; the configured ones count. */
function replaceUrlHeaders({ headers }: IncomingMessage, { host, protocol }: URL): void {
  for (const name of Object.keys(headers)) if (name === 'forwarded' || name.startsWith('x-forwarded-')) delete headers[name]
  headers.host = host
  headers['x-forwarded-proto'] = protocol.slice(0, -1)
}
