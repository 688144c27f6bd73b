import { BROKER_PATHS, listMetadataPaths } from '../core/broker-paths.ts'
import { type Clock, systemClock } from '../core/clock.ts'
import type { EndpointHandler, EndpointRequest } from '../core/endpoint-request.ts'
import type { BrokerPlan } from '../core/plan/broker-plan.ts'
import type { TokenVerifier } from '../core/ports.ts'
import type { Principal } from '../core/principal.ts'
import type { Store } from '../core/store.ts'
import type { FindCredential } from '../core/upstream-credential.ts'
import { createIssuerPool } from '../oauth/issuer.ts'
import type { IssuerKeys } from '../oauth/keys.ts'
import { createSafeFetch, type ResolveHost, type SafeFetch } from '../oauth/safe-fetch.ts'
import type { Accounts } from './accounts/accounts.ts'
import { createAsgardeoIdentityProvider } from './asgardeo/asgardeo-identity-provider.ts'
import { listIntrospectors, listKeyUrls } from './clients/configured-clients.ts'
import { type ClientDocuments, createClientDocuments } from './clients/metadata-documents.ts'
import { createRegistrations } from './clients/registrations.ts'
import { type BrokerResource, createResources, type Resources } from './clients/resources.ts'
import { createIdentityAssertions, type IdentityAssertions } from './grants/identity-assertions.ts'
import { createIdentityProvider, type IdentityProvider } from './identity-provider/identity-provider.ts'
import { createAddressLimit, createRateLimit, type RateLimit } from './limits/rate-limit.ts'
import { type BrowserCookie, createBrowserCookie } from './pages/browser-cookie.ts'
import { SIGN_IN_ERRORS } from './pages/sign-in-errors.ts'
import { holdToMethods } from './protocol/endpoint-methods.ts'
import { answerForOwnTokens } from './protocol/jwt-revocation-and-introspection.ts'
import { createProtocolEndpoints, type ProtocolEndpoints } from './protocol/protocol-endpoints.ts'
import { answeringOutages } from './protocol/store-outage.ts'
import { createOwnVerifier, createSubjectVerifier } from './protocol/token-verifiers.ts'
import { openUsers } from './protocol/user-standing.ts'
import { handleCallback } from './sign-in/callback-endpoint.ts'
import { handleSignIn } from './sign-in/consent-endpoint.ts'
import { type Consents, createConsents } from './sign-in/consents.ts'
import type { AwayUser, SignInOptions } from './sign-in/sign-in-context.ts'
import { sendSignInError } from './sign-in/sign-in-result.ts'
import { createEncryptedCollection } from './storage/encrypted-collection.ts'
import { createEncryption, type Encryption } from './storage/encryption.ts'
import { createIssuerScopedStore } from './storage/issuer-scoped-store.ts'
import { type KeyCanary, placeKeyCanary } from './storage/key-canary.ts'
import { createAdapter, hashId } from './storage/oidc-adapter.ts'
import { findOutage } from './storage/outage.ts'
import { createSingleUse, type SingleUse } from './storage/single-use.ts'
import { createUnrevokedVerifier, GRANT_CLAIM, type Revocations } from './tokens/revocation.ts'
import { openSigningKeys, type SigningKeys } from './tokens/signing-keys.ts'
import { createStepUps, type StepUps } from './tokens/step-ups.ts'
import { createCredentialSource } from './tokens/upstream-credential.ts'

/** An authorization server of our own, for an identity provider that can't serve MCP clients. */
export interface Broker {
  /** By public path; a final `/{id}` stands for one segment of letters, digits, `-` and `_`. */
  readonly handlers: ReadonlyMap<string, EndpointHandler>
  /** Whether what it remembers can be asked. */
  isReady(): boolean
  /** Keys that its access tokens are verified with. */
  readonly keys: IssuerKeys
  /** Has a verifier also ask whether tokens of the broker still stand. */
  guard(verifier: TokenVerifier): TokenVerifier
  /** The principal's own access token of the identity provider. */
  readonly findCredential: FindCredential
  /** Hears that a principal was told to get scopes that its token lacks. */
  noteStepUp(principal: Principal, missing: readonly string[]): void
  close(): Promise<void>
}

export interface BrokerOptions {
  readonly plan: BrokerPlan
  readonly resources: readonly BrokerResource[]
  /** Paths of the MCP endpoints, from which clients make up where metadata might be. */
  readonly endpointPaths: readonly string[]
  readonly store: Store
  /** Called with problems to log; the text holds no secrets. */
  readonly onIssue: (message: string) => void
  readonly clock?: Clock
  readonly resolveHost?: ResolveHost
}

const RENEW_KEYS_MS = 10 * 60_000

/** What the parts of the broker share. */
interface Parts {
  readonly encryption: Encryption
  readonly keys: SigningKeys
  readonly revocations: Revocations
  readonly singleUse: SingleUse
  readonly resources: Resources
  readonly identityProvider: IdentityProvider
  readonly accounts: Accounts
  readonly consents: Consents
  readonly stepUps: StepUps
  readonly browserCookie: BrowserCookie
  /** What clients publish of themselves. */
  readonly clientDocuments: ClientDocuments
  /** Bounds what strangers have us remember for a while. */
  readonly authorizations: RateLimit
  /** Bounds what strangers have us compute. */
  readonly tokenRequests: RateLimit
  readonly strangeIntrospections: RateLimit
  readonly assertions: IdentityAssertions
  readonly subjectTokens: TokenVerifier
  readonly clock: Clock
  close(): Promise<void>
}

/** Starts a broker. Nothing is waited for that the identity provider has to say. */
export async function startBroker(given: BrokerOptions): Promise<Broker> {
  const { plan, onIssue } = given
  const options = { ...given, store: createIssuerScopedStore(given.store, plan.identityProvider) }
  const parts = await createParts(options)
  const { keys, revocations, stepUps, clock } = parts
  const endpoints = openProtocolEndpoints(options, parts)
  const canary = await placeKeyCanary({ ...options, ...parts, seconds: countUsefulSeconds(plan) })
  const stopRenewing = renewNowAndThen({ endpoints, canary }, clock, onIssue)
  return {
    handlers: listHandlers(endpoints, planSignIn(options, parts, endpoints), { ...options, ...parts }),
    isReady: () => options.store.isReady(),
    keys: keys.verification,
    guard: (verifier) => createUnrevokedVerifier(verifier, plan.issuer, revocations),
    findCredential: createCredentialSource(parts.accounts),
    noteStepUp({ issuer, claims: { [GRANT_CLAIM]: grantId } }, missing) {
      if (issuer === plan.issuer && typeof grantId === 'string') stepUps.note(grantId, missing)
    },
    async close() {
      stopRenewing()
      await parts.close()
    },
  }
}

async function createParts(options: BrokerOptions): Promise<Parts> {
  const { plan, store, resolveHost, resources, clock = systemClock } = options
  const { issuer, metadataUrl } = plan.identityProvider
  const encryption = createEncryption(plan.encryptionKeys)
  const [formKey = ''] = encryption.derive('forms')
  const outboundFetch = createSafeFetch({ ...plan.identityProvider, issuer: metadataUrl ?? issuer }, resolveHost)
  // No host is anybody's own here: also names that cannot exist have addresses, where a resolver makes them up.
  const clientFetch = createSafeFetch({ issuer: undefined, ...plan.clientMetadata }, resolveHost)
  const singleUse = createSingleUse(clock, options.onIssue)
  const redirectUri = `${plan.issuer}${BROKER_PATHS.callback}`
  const { identityProvider, stopMaking } = openIdentityProvider(options, { redirectUri, outboundFetch, encryption, clock })
  const known = createResources(resources)
  const { accounts, revocations } = openUsers({ plan, store, encryption, clock, identityProvider, resources: known })
  const keys = await openSigningKeys({ ...plan, store, encryption, clock })
  const pool = createIssuerPool({ ...options, clock, ownKeys: new Map([[plan.issuer, keys.verification]]) })
  return {
    encryption,
    keys,
    revocations,
    singleUse,
    resources: known,
    identityProvider,
    accounts,
    consents: createConsents(store, clock, plan.grantSeconds),
    stepUps: createStepUps(clock),
    browserCookie: createBrowserCookie(plan.issuer.startsWith('https:'), formKey),
    clientDocuments: createClientDocuments({
      ...plan.clientMetadata,
      outboundFetch: clientFetch,
      clock,
      named: listKeyUrls(plan.clients),
    }),
    authorizations: createRateLimit(plan.authorizationsPerMinute, clock),
    tokenRequests: createAddressLimit(plan.tokenRequestsPerMinute, clock),
    strangeIntrospections: createAddressLimit(plan.tokenRequestsPerMinute, clock),
    assertions: createIdentityAssertions({
      issuers: plan.assertionIssuers,
      pool,
      audience: plan.issuer,
      store,
      singleUse,
      clock,
    }),
    subjectTokens: createUnrevokedVerifier(createSubjectVerifier(options, pool, clock), plan.issuer, revocations),
    clock,
    async close() {
      stopMaking()
      singleUse.close()
      await Promise.all([outboundFetch.close(), clientFetch.close(), pool.close()])
    },
  }
}

/** Whom users sign in with: by an application that was registered there, or one that is made as soon as that is possible. */
function openIdentityProvider(
  { plan, store, onIssue }: BrokerOptions,
  parts: {
    readonly redirectUri: string
    readonly outboundFetch: SafeFetch
    readonly encryption: Encryption
    readonly clock: Clock
  },
): { readonly identityProvider: IdentityProvider; readonly stopMaking: () => void } {
  const { identityProvider, registration } = plan
  const { asgardeo } = identityProvider
  if (asgardeo === undefined)
    return { identityProvider: createIdentityProvider({ plan: identityProvider, ...parts }), stopMaking: () => {} }
  const maker = createAsgardeoIdentityProvider({
    ...parts,
    plan: { ...identityProvider, asgardeo },
    registration,
    store,
    onIssue,
  })
  maker.warm()
  return { identityProvider: maker, stopMaking: maker.close }
}

function openProtocolEndpoints({ plan, store, resources, onIssue }: BrokerOptions, parts: Parts): ProtocolEndpoints {
  const { encryption, keys, revocations, singleUse, clock } = parts
  const verifier = createUnrevokedVerifier(createOwnVerifier(plan, resources, keys), plan.issuer, revocations)
  const mayIntrospect = listIntrospectors(plan)
  const registrations = createRegistrations(store, plan.registration, clock)
  return createProtocolEndpoints({
    ...parts,
    plan,
    adapter: createAdapter({
      store,
      encryption,
      singleUse,
      refreshGraceSeconds: plan.refreshGraceSeconds,
      onRegistration: registrations.accept,
      unusedClientSeconds: plan.registration.unusedSeconds,
      now: () => clock.wall(),
    }),
    registrations,
    cookieKeys: encryption.derive('cookies'),
    fetch: parts.clientDocuments.fetch,
    middlewares: [answerForOwnTokens({ store, revocations, verifier, mayIntrospect })],
    onIssue,
  })
}

function planSignIn({ plan, store }: BrokerOptions, parts: Parts, endpoints: ProtocolEndpoints): SignInOptions {
  const { encryption, clock } = parts
  return {
    ...parts,
    origin: plan.issuer,
    plan: plan.identityProvider,
    brand: plan.brand,
    scopeDescriptions: plan.scopeDescriptions,
    away: createEncryptedCollection<AwayUser>(store, encryption, 'AwayUser', hashId),
    now: () => clock.wall(),
    findProvider: endpoints.findProvider,
  }
}

function listHandlers(
  endpoints: ProtocolEndpoints,
  signIn: SignInOptions,
  { endpointPaths, clientDocuments }: Pick<BrokerOptions & Parts, 'endpointPaths' | 'clientDocuments'>,
): Map<string, EndpointHandler> {
  const { authorization } = BROKER_PATHS.provider
  const aimed =
    (handler: (incoming: EndpointRequest, options: SignInOptions) => Promise<void>): EndpointHandler =>
    async (incoming) => {
      endpoints.aim(incoming.request)
      try {
        await handler(incoming, signIn)
      } catch (error) {
        if (incoming.response.headersSent || findOutage(error)) throw error
        sendSignInError(incoming, SIGN_IN_ERRORS.internal, error, signIn)
      }
    }
  const handlers: (readonly [path: string, handle: EndpointHandler])[] = [
    ...Object.values(BROKER_PATHS.provider).map((path) => [path, holdToMethods(endpoints.handle)] as const),
    [`${authorization}/{id}`, holdToMethods(endpoints.handleResume, ['GET', 'HEAD'])],
    [`${BROKER_PATHS.signIn}/{id}`, aimed(handleSignIn)],
    [BROKER_PATHS.callback, aimed(handleCallback)],
    ...listMetadataPaths(endpointPaths).map((path) => [path, holdToMethods(endpoints.handleMetadata)] as const),
  ]
  const onBehalf = (handle: EndpointHandler): EndpointHandler => {
    return (incoming) => clientDocuments.askFor(incoming.address, async () => handle(incoming))
  }
  return new Map(handlers.map(([path, handle]) => [path, answeringOutages(onBehalf(handle), signIn)]))
}

/** How long anything may be of use that was encrypted: users and what they were given, cookies, and keys with a little overlap. */
function countUsefulSeconds({ grantSeconds, browserSeconds, signingKeySeconds, accessTokenSeconds }: BrokerPlan): number {
  return Math.max(grantSeconds, browserSeconds, signingKeySeconds + accessTokenSeconds + 3600)
}

function renewNowAndThen(
  { endpoints, canary }: { readonly endpoints: ProtocolEndpoints; readonly canary: KeyCanary },
  clock: Clock,
  onIssue: (message: string) => void,
): () => void {
  let cancel = () => {}
  const schedule = () => {
    cancel = clock.after(RENEW_KEYS_MS, () => {
      Promise.all([endpoints.renewKeys(), canary.renew()])
        .catch((error: Error) => onIssue(`broker: the signing keys could not be renewed: ${error.message}`))
        .finally(schedule)
    })
  }
  schedule()
  return () => cancel()
}
