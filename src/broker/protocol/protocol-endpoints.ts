import type { IncomingMessage } from 'node:http'
import { errors, type KoaContextWithOIDC, type Provider } from 'oidc-provider'
import { BROKER_PATHS } from '../../core/broker-paths.ts'
import type { EndpointHandler, EndpointRequest } from '../../core/endpoint-request.ts'
import { type ErrorCode, errorCatalogue, type ProxyError } from '../../core/errors.ts'
import type { BrokerPlan } from '../../core/plan/broker-plan.ts'
import type { Registrations } from '../clients/registrations.ts'
import { IdentityProviderError } from '../identity-provider/error.ts'
import type { RateLimit } from '../limits/rate-limit.ts'
import { type BrowserCookie, readCookies } from '../pages/browser-cookie.ts'
import { renderErrorPage } from '../pages/error-page.ts'
import { renderPage } from '../pages/page.ts'
import { explainOutage, SIGN_IN_ERRORS } from '../pages/sign-in-errors.ts'
import { type Branded, isElsewhere, leaveOtherAccount, sendSignInError } from '../sign-in/sign-in-result.ts'
import { findOutage } from '../storage/outage.ts'
import type { Revocations } from '../tokens/revocation.ts'
import type { SigningKeys } from '../tokens/signing-keys.ts'
import { formatCors, turnIntoAddress } from './endpoint-methods.ts'
import type { Middleware } from './middlewares.ts'
import { createProvider, nameResumeCookie, nameSessionCookie, type ProviderOptions } from './oidc-provider.ts'
import { stayWithMistakes } from './open-redirect-guard.ts'
import { type OutageNotes, sayOutages } from './store-outage.ts'

export interface ProtocolEndpointsOptions extends Omit<ProviderOptions, 'renderError'> {
  readonly plan: BrokerPlan
  readonly keys: SigningKeys
  readonly revocations: Revocations
  readonly registrations: Registrations
  readonly browserCookie: BrowserCookie
  /** Bounds authorization requests, each of which is remembered for a while. */
  readonly authorizations: RateLimit
  /** Bounds token and revocation requests: each may be a guess at a secret, and costs us signatures and a look into the store. */
  readonly tokenRequests: RateLimit
  /** Bounds introspection requests of clients that are not of the configuration, or don’t know their secret. */
  readonly strangeIntrospections: RateLimit
  readonly onIssue: (message: string) => void
}

/** The provider behind our endpoints, under our own name whatever the requests say. */
export interface ProtocolEndpoints {
  /** Answers at the protocol's endpoints. */
  readonly handle: EndpointHandler
  /** Answers where an authorization request goes on after sign-in and consent. */
  readonly handleResume: EndpointHandler
  /** Answers with the metadata, wherever it was looked for. */
  readonly handleMetadata: EndpointHandler
  /** Has the request be one to our public URL. */
  aim(request: IncomingMessage): void
  findProvider(): Provider
  /** Takes new keys into use, ours or those of another process. */
  renewKeys(): Promise<void>
}

/** How an endpoint's failure is called by the provider. */
const FAILURES = [
  'authorization.error',
  'grant.error',
  'registration_create.error',
  'revocation.error',
  'introspection.error',
  'discovery.error',
  'jwks.error',
] as const

export function createProtocolEndpoints(options: ProtocolEndpointsOptions): ProtocolEndpoints {
  const { plan, keys } = options
  const endpointRequests = new WeakMap<IncomingMessage, EndpointRequest>()
  const isKnown = (clientId: unknown) => plan.clients.some(({ id }) => id === clientId)
  const known = new WeakSet<IncomingMessage>()
  const stay = stayWithMistakes({
    isKnown,
    brand: plan.brand,
    findTraceId: (request) => endpointRequests.get(request)?.requestId ?? '',
  })
  const outages: OutageNotes = { told: new WeakMap(), unanswered: new WeakMap() }
  const middlewares = [sayOutages(outages), stay, noteKnown(known, isKnown), ...options.middlewares]
  const create = () =>
    listen(createProvider({ ...options, middlewares, renderError: createErrorRenderer(endpointRequests, plan) }, keys.current), {
      endpointRequests,
      outages: outages.told,
      ...options,
    })
  let provider = create()
  const url = new URL(plan.issuer)
  const aim = (request: IncomingMessage) => aimAt(request, url)
  const pass = async (incoming: EndpointRequest) => {
    aim(incoming.request)
    endpointRequests.set(incoming.request, incoming)
    await provider.callback()(incoming.request, incoming.response)
    const outage = outages.unanswered.get(incoming.request)
    if (outage !== undefined) throw outage
  }
  const register = async (incoming: EndpointRequest) => {
    const seconds = await options.registrations.admit(incoming.address, () => pass(incoming))
    if (seconds !== undefined) sendLater(incoming, { code: 'registration_limited', seconds }, plan)
  }
  const { browserCookie, strangeIntrospections } = options
  // MCP servers of the configuration ask for every call. The others only guess (RFC 6749 §2.3.1), or registered themselves.
  const introspect = async (incoming: EndpointRequest) => {
    const seconds = strangeIntrospections.check(incoming.address)
    if (seconds !== undefined) return sendLater(incoming, { code: 'token_requests_limited', seconds }, plan)
    await pass(incoming)
    if (!known.has(incoming.request)) strangeIntrospections.count(incoming.address)
  }
  return {
    aim,
    findProvider: () => provider,
    async handle(incoming) {
      if (isPostTo(registration, incoming)) return register(incoming)
      if (isPostTo(introspection, incoming)) return introspect(incoming)
      const limit = findLimit(incoming, options)
      if (limit !== undefined) return sendLater(incoming, limit, plan)
      return isPostTo(authorization, incoming) ? turnIntoAddress(incoming) : pass(incoming)
    },
    handleResume: createResume({ plan, browserCookie, pass, findProvider: () => provider }),
    handleMetadata(incoming) {
      incoming.request.url = '/.well-known/oauth-authorization-server'
      return pass(incoming)
    },
    async renewKeys() {
      if (await keys.renew()) provider = create()
    },
  }
}

interface ResumeOptions extends Pick<ProtocolEndpointsOptions, 'plan' | 'browserCookie'> {
  readonly pass: (incoming: EndpointRequest) => Promise<void>
  readonly findProvider: () => Provider
}

/** Goes on with a sign-in in the browser that it took place in, and with nobody else signed in there. */
function createResume({ plan, pass, ...options }: ResumeOptions): EndpointHandler {
  return async (incoming) => {
    const uid = incoming.path.slice(authorization.length + 1)
    // The provider goes by one of the cookies, whatever the path says: a planted one must not be it.
    const isPlanted = readCookies(incoming.request, nameResumeCookie(plan.issuer)).some((value) => value !== uid)
    if (isPlanted || (await isElsewhere(uid, incoming, options)))
      return sendSignInError(incoming, SIGN_IN_ERRORS.forged, 'not the browser that the sign-in was allowed in', plan)
    await leaveOtherAccount(uid, readCookies(incoming.request, nameSessionCookie(plan.issuer)), options)
    // What was asked is kept. The provider would look in the address for whom to tell of a failure.
    incoming.request.url = incoming.path
    return pass(incoming)
  }
}

/** Notes the requests of clients that have authenticated, and that the configuration names. */
function noteKnown(known: WeakSet<IncomingMessage>, isKnown: (clientId: unknown) => boolean): Middleware {
  return async (ctx, next) => {
    await next()
    const { oidc } = ctx as Partial<KoaContextWithOIDC>
    if (ctx.path === introspection && ctx.status < 400 && isKnown(oidc?.client?.clientId)) known.add(ctx.req)
  }
}

function createErrorRenderer(
  endpointRequests: WeakMap<IncomingMessage, EndpointRequest>,
  { brand }: Branded,
): ProviderOptions['renderError'] {
  return (ctx, out, error) => {
    const incoming = endpointRequests.get(ctx.req)
    if (out.error === 'invalid_client') ctx.status = 401
    if (ctx.accepts('html', 'json') === 'json') {
      ctx.body = out
      return
    }
    const page = renderPage(renderErrorPage({ ...explain(out.error, error), traceId: incoming?.requestId ?? '' }), brand)
    ctx.set({ ...page.headers })
    ctx.body = page.html
  }
}

/** What there is too much of, and the seconds after which another try makes sense. */
interface Limit {
  readonly code: ErrorCode
  readonly seconds: number
}

const { authorization, introspection, registration, revocation, token } = BROKER_PATHS.provider

function isPostTo(endpoint: string, { request, path }: EndpointRequest): boolean {
  return request.method === 'POST' && path === endpoint
}

/** None counts by client id: anybody could name that of another, and all users of a hosted client share one. */
function findLimit({ request, path, address }: EndpointRequest, options: ProtocolEndpointsOptions): Limit | undefined {
  if (path === authorization) return limitTo('sign_ins_limited', options.authorizations.count(address))
  if (request.method !== 'POST') return undefined
  if (path !== token && path !== revocation) return undefined
  return limitTo('token_requests_limited', options.tokenRequests.count(address))
}

function limitTo(code: ErrorCode, seconds: number | undefined): Limit | undefined {
  return seconds === undefined ? undefined : { code, seconds }
}

/** The provider makes its URLs from what the request says of host and scheme. A stranger says that; we know better. */
function aimAt({ headers }: IncomingMessage, { host, protocol }: URL): void {
  for (const name of Object.keys(headers)) if (name === 'forwarded' || name.startsWith('x-forwarded-')) delete headers[name]
  headers.host = host
  headers['x-forwarded-proto'] = protocol.slice(0, -1)
}

/** RFC 6585 §4. A person who came with a browser gets a page. */
function sendLater(incoming: EndpointRequest, { code, seconds }: Limit, branded: Branded): void {
  if (code === 'sign_ins_limited' && incoming.request.headers.accept?.includes('text/html')) {
    incoming.response.setHeader('retry-after', seconds)
    return sendSignInError(incoming, SIGN_IN_ERRORS.busy, `another try makes sense in ${seconds} s`, branded)
  }
  incoming.note(code, `another try makes sense in ${seconds} s`)
  const { message } = errorCatalogue[code]
  const error_description = `${message.toLowerCase()}, try again in ${seconds} s`
  const body = JSON.stringify({ error: 'temporarily_unavailable', error_description })
  const headers = {
    'content-type': 'application/json',
    'cache-control': 'no-store',
    ...formatCors(incoming.path),
    'access-control-expose-headers': 'retry-after',
    'retry-after': String(seconds),
  }
  incoming.response.writeHead(429, headers).end(body)
}

interface ListenOptions extends ProtocolEndpointsOptions {
  readonly endpointRequests: WeakMap<IncomingMessage, EndpointRequest>
  readonly outages: WeakMap<IncomingMessage, ProxyError>
}

/** Tells the log what went wrong, and the rest of the broker what came of it. */
function listen(provider: Provider, { endpointRequests, outages, revocations, registrations, onIssue }: ListenOptions): Provider {
  const emitter = provider as unknown as NodeJS.EventEmitter
  const noteOutage = ({ req }: KoaContextWithOIDC, error: Error): boolean => {
    const outage = findOutage(error)
    if (outage === undefined) return false
    outages.set(req, outage)
    endpointRequests.get(req)?.note(outage.code, outage.cause)
    return true
  }
  for (const name of FAILURES) {
    emitter.on(name, (ctx: KoaContextWithOIDC, error: Error) => {
      if (!noteOutage(ctx, error)) noteFailure(endpointRequests.get(ctx.req), error)
    })
  }
  provider.on('server_error', (ctx, error) => {
    if (noteOutage(ctx, error)) return
    const incoming = endpointRequests.get(ctx.req)
    // What we say ourselves is no mistake of ours.
    if (error instanceof errors.OIDCProviderError) return noteFailure(incoming, error)
    incoming?.note('internal_error', error)
  })
  // Of the web framework beneath, which writes to standard error unless somebody listens.
  emitter.on('error', (error: Error) => onIssue(`broker: ${error.message}`))
  provider.on('grant.revoked', () => revocations.forget())
  provider.on('grant.success', (ctx) => {
    const clientId = ctx.oidc.client?.clientId
    if (clientId !== undefined)
      registrations.keep(clientId).catch((error: Error) => onIssue(`broker: a registration could not be kept: ${error.message}`))
  })
  return provider
}

function noteFailure(incoming: EndpointRequest | undefined, error: Error): void {
  // Not the last word: see own-tokens.ts.
  if (error instanceof errors.UnsupportedTokenType) return
  if (error.cause instanceof IdentityProviderError) {
    incoming?.note('identity_provider_unavailable', error.cause)
    return
  }
  const { error: code, error_description: description, error_detail: detail } = error as Partial<errors.OIDCProviderError>
  incoming?.note('authorization_refused', [code ?? error.message, description, detail].filter(Boolean).join(': '))
}

function explain(code: string, error: Error): { title: string; text: string } {
  const outage = findOutage(error)
  if (outage !== undefined) return explainOutage(outage)
  if (error instanceof errors.SessionNotFound) return SIGN_IN_ERRORS.over
  if (code === 'invalid_client')
    return {
      title: 'This application is not known here',
      text: 'Its registration may have expired. Remove this server from the application and add it again.',
    }
  if (code === 'invalid_redirect_uri')
    return {
      title: 'This request cannot be trusted',
      text: 'It would have sent you to an address that the application did not register. You were sent nowhere.',
    }
  if (code === 'server_error')
    return { title: 'Something went wrong on our side', text: 'Try again, or tell whoever runs this server.' }
  return { title: 'This request cannot be accepted', text: 'The application asked for something that is not possible here.' }
}
