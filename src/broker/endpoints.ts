import { BROKER_PATHS, listMetadataPaths } from '../core/broker-paths.ts'
import { createEncryptedCollection } from '../core/encrypted-collection.ts'
import type { EndpointHandler, EndpointRequest } from '../core/endpoint-request.ts'
import { hashId } from '../core/hash-id.ts'
import { listIntrospectors } from './clients/configured-clients.ts'
import { createRegistrations } from './clients/registrations.ts'
import { createDocumentHandler } from './connections/client-document.ts'
import { type ConnectionsOptions, handleConnections, handleLink } from './connections/connections-endpoint.ts'
import { openConnections } from './connections/open-connections.ts'
import type { FindFailedKind } from './event-source.ts'
import { SIGN_IN_ERRORS } from './pages/sign-in-errors.ts'
import type { Parts, PartsOptions } from './parts.ts'
import { holdToMethods } from './protocol/endpoint-methods.ts'
import { createProtocolEndpoints, type ProtocolEndpoints } from './protocol/protocol-endpoints.ts'
import { answeringOutages } from './protocol/store-outage.ts'
import { createOwnVerifier } from './protocol/token-verifiers.ts'
import { answerForOwnTokens } from './protocol/workarounds/jwt-revocation-and-introspection.ts'
import { handleAccountCallback } from './sign-in/account-callback.ts'
import { handleCallback } from './sign-in/callback-endpoint.ts'
import { handleSignIn } from './sign-in/consent-endpoint.ts'
import type { AwayUser, SignInOptions } from './sign-in/sign-in-context.ts'
import { sendSignInError } from './sign-in/sign-in-result.ts'
import { createAdapter } from './storage/oidc-adapter.ts'
import { findOutage } from './storage/outage.ts'
import { createUnrevokedVerifier } from './tokens/revocation.ts'

/** The endpoints of OAuth itself, which the provider library answers. */
export function openProtocolEndpoints(options: PartsOptions, parts: Parts): ProtocolEndpoints {
  const { plan, store, resources, clock, onIssue } = options
  const { encryption, keys, revocations, singleUse } = parts
  const ownVerifier = createOwnVerifier({ plan, resources, keys, clock })
  const verifier = parts.guardTokens(createUnrevokedVerifier(ownVerifier, plan.issuer, revocations))
  const registrations = createRegistrations(store, plan.registration, clock)
  return createProtocolEndpoints({
    provider: {
      plan,
      clock,
      resources: parts.resources,
      accounts: parts.accounts,
      consents: parts.consents,
      stepUps: parts.stepUps,
      singleUse,
      assertions: parts.assertions,
      subjectTokens: parts.subjectTokens,
      adapter: createAdapter({
        store,
        encryption,
        singleUse,
        refreshGraceSeconds: plan.refreshGraceSeconds,
        onRegistration: registrations.accept,
        onGrantEnded: revocations.forget,
        unusedClientSeconds: plan.registration.unusedSeconds,
        now: () => clock.wall(),
      }),
      upstreamAccounts: parts.upstreamAccounts,
      cookieKeys: encryption.derive('cookies'),
      fetch: parts.clientDocuments.fetch,
      report: parts.events.report,
    },
    keys,
    revocations,
    registrations,
    browserCookie: parts.browserCookie,
    limits: {
      authorizations: parts.authorizations,
      tokenRequests: parts.tokenRequests,
      unknownIntrospections: parts.unknownIntrospections,
    },
    middlewares: [
      answerForOwnTokens({
        store,
        revocations,
        verifier,
        mayIntrospect: listIntrospectors(plan),
        report: parts.events.report,
      }),
    ],
    onIssue,
  })
}

function createSignInOptions(
  { plan, store, clock }: PartsOptions,
  parts: Parts,
  endpoints: ProtocolEndpoints,
  connections: ConnectionsOptions | undefined,
): SignInOptions {
  return {
    origin: plan.issuer,
    plan: plan.identityProvider,
    brand: plan.brand,
    scopeDescriptions: plan.scopeDescriptions,
    identityProvider: parts.identityProvider,
    accounts: parts.accounts,
    consents: parts.consents,
    resources: parts.resources,
    browserCookie: parts.browserCookie,
    away: createEncryptedCollection<AwayUser>(store, parts.encryption, 'AwayUser', hashId),
    authorizations: parts.authorizations,
    connecting: connections?.connecting,
    finishVisit: async (incoming, answer) => (await connections?.visits.finish(incoming, answer)) ?? false,
    now: () => clock.wall(),
    report: parts.events.report,
    findProvider: endpoints.findProvider,
  }
}

interface HandlerOptions {
  readonly given: PartsOptions
  readonly parts: Parts
  readonly endpoints: ProtocolEndpoints
  readonly endpointPaths: readonly string[]
}

/** All endpoints of the broker, by public path. */
export function listHandlers({ given, parts, endpoints, endpointPaths }: HandlerOptions): Map<string, EndpointHandler> {
  const { authorization } = BROKER_PATHS.provider
  const { upstreamAccounts } = parts
  const isOpen = upstreamAccounts.servers.length > 0
  const connections = isOpen ? openConnections(listParts(given, parts, endpoints), upstreamAccounts) : undefined
  const signIn = createSignInOptions(given, parts, endpoints, connections)
  const handlers: (readonly [path: string, handle: EndpointHandler])[] = [
    ...Object.values(BROKER_PATHS.provider).map((path) => [path, holdToMethods(endpoints.handle)] as const),
    [`${authorization}/{id}`, holdToMethods(endpoints.handleResume, ['GET', 'HEAD'])],
    [`${BROKER_PATHS.signIn}/{id}`, createSignInHandler(handleSignIn, signIn, endpoints)],
    [BROKER_PATHS.callback, createSignInHandler(handleCallback, signIn, endpoints)],
    ...listConnectionHandlers(connections, signIn, endpoints),
    ...listMetadataPaths(endpointPaths).map((path) => [path, holdToMethods(endpoints.handleMetadata)] as const),
  ]
  const onBehalf = (handle: EndpointHandler): EndpointHandler => {
    return (incoming) => parts.clientDocuments.askFor(incoming.address, async () => handle(incoming))
  }
  const answer = (handle: EndpointHandler) => parts.events.watch(findFailedKind, answeringOutages(onBehalf(handle), given.plan))
  return new Map(handlers.map(([path, handle]) => [path, answer(handle)]))
}

function listParts({ plan, store, clock }: PartsOptions, parts: Parts, { findProvider }: ProtocolEndpoints) {
  const { encryption, identityProvider, accounts, browserCookie, authorizations, events } = parts
  return {
    plan: plan.identityProvider,
    origin: plan.issuer,
    brand: plan.brand,
    store,
    clock,
    encryption,
    identityProvider,
    accounts,
    browserCookie,
    authorizations,
    report: events.report,
    // Without its name the page says less, and nothing wrong.
    findClientName: async (clientId: string) =>
      (
        await findProvider()
          .Client.find(clientId)
          .catch(() => undefined)
      )?.clientName,
  }
}

/** Where users connect accounts; nothing where no MCP server has some. */
function listConnectionHandlers(
  connections: ConnectionsOptions | undefined,
  signIn: SignInOptions,
  endpoints: ProtocolEndpoints,
): (readonly [path: string, handle: EndpointHandler])[] {
  if (connections === undefined) return []
  const { list, link, callback, client } = BROKER_PATHS.connections
  const page = (handle: typeof handleConnections) =>
    createSignInHandler((incoming) => handle(incoming, connections), signIn, endpoints)
  return [
    [list, page(handleConnections)],
    [`${link}/{id}`, page(handleLink)],
    [`${callback}/{id}`, createSignInHandler(handleAccountCallback, signIn, endpoints)],
    [`${client}/{id}`, createDocumentHandler(connections.origin)],
  ]
}

/** An endpoint with pages of our own; the user is told of every error by such a page. */
function createSignInHandler(
  handle: (incoming: EndpointRequest, options: SignInOptions) => Promise<void>,
  signIn: SignInOptions,
  endpoints: ProtocolEndpoints,
): EndpointHandler {
  return async (incoming) => {
    endpoints.usePublicUrl(incoming.request)
    try {
      await handle(incoming, signIn)
    } catch (error) {
      if (incoming.response.headersSent || findOutage(error)) throw error
      sendSignInError(incoming, SIGN_IN_ERRORS.internal, error, signIn)
    }
  }
}

/** What a failed request to an endpoint was about. */
const findFailedKind: FindFailedKind = ({ path, request }) => {
  const { authorization, registration, revocation, token } = BROKER_PATHS.provider
  if (path === authorization || path.startsWith(`${authorization}/`)) return 'authorization'
  if (path === BROKER_PATHS.callback) return 'sign_in'
  if (path.startsWith(`${BROKER_PATHS.connections.callback}/`)) return 'account_connected'
  if (path === registration) return 'registration'
  if (path === token) return 'token_issued'
  if (path === revocation) return 'token_revoked'
  // A look at the page of a sign-in that is over answers no question.
  return path.startsWith(`${BROKER_PATHS.signIn}/`) && request.method === 'POST' ? 'consent' : undefined
}
