import { BROKER_PATHS, listMetadataPaths } from '../core/broker-paths.ts'
import { type Clock, systemClock } from '../core/clock.ts'
import type { BrokerPlan } from '../core/plan/broker-plan.ts'
import type { TokenVerifier } from '../core/ports.ts'
import type { Principal } from '../core/principal.ts'
import type { Store } from '../core/store.ts'
import type { FindCredential } from '../core/upstream-credential.ts'
import type { Visit, VisitHandler } from '../core/visit.ts'
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
import { TROUBLES } from './pages/sign-in-errors.ts'
import { holdToMethods } from './protocol/endpoint-methods.ts'
import { answerForOwnTokens } from './protocol/jwt-revocation-and-introspection.ts'
import { createMount, type Mount } from './protocol/protocol-endpoints.ts'
import { answeringOutages } from './protocol/store-outage.ts'
import { createOwnVerifier, createSubjectVerifier } from './protocol/token-verifiers.ts'
import { openUsers } from './protocol/user-standing.ts'
import { handleCallback } from './sign-in/callback-endpoint.ts'
import { handleSignIn } from './sign-in/consent-endpoint.ts'
import { type Consents, createConsents } from './sign-in/consents.ts'
import type { AwayUser, SignInOptions } from './sign-in/sign-in-context.ts'
import { sendTrouble } from './sign-in/sign-in-result.ts'
import { createVault } from './storage/encrypted-collection.ts'
import { createSeal, type Seal } from './storage/encryption.ts'
import { keepUsersApart } from './storage/issuer-scoped-store.ts'
import { type EncryptionMark, markEncryption } from './storage/key-canary.ts'
import { createAdapter, hashId } from './storage/oidc-adapter.ts'
import { findOutage } from './storage/outage.ts'
import { createSingleUse, type SingleUse } from './storage/single-use.ts'
import { createLiveVerifier, GRANT_CLAIM, type Liveness } from './tokens/revocation.ts'
import { openSigningKeys, type SigningKeys } from './tokens/signing-keys.ts'
import { createStepUps, type StepUps } from './tokens/step-ups.ts'
import { createCredentialSource } from './tokens/upstream-credential.ts'

/** An authorization server of our own, for an identity provider that can't serve MCP clients. */
export interface Broker {
  /** By public path; a final `/{id}` stands for one segment of letters, digits, `-` and `_`. */
  readonly handlers: ReadonlyMap<string, VisitHandler>
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
  /** Hears of trouble; the text holds no secrets. */
  readonly onIssue: (message: string) => void
  readonly clock?: Clock
  readonly resolveHost?: ResolveHost
}

const RENEW_KEYS_MS = 10 * 60_000

/** What the parts of the broker share. */
interface Parts {
  readonly seal: Seal
  readonly keys: SigningKeys
  readonly liveness: Liveness
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
  const options = { ...given, store: keepUsersApart(given.store, plan.identityProvider) }
  const parts = await createParts(options)
  const { keys, liveness, stepUps, clock } = parts
  const mount = mountProvider(options, parts)
  const mark = await markEncryption({ ...options, ...parts, seconds: countUsefulSeconds(plan) })
  const stopRenewing = renewNowAndThen({ mount, mark }, clock, onIssue)
  return {
    handlers: listHandlers(mount, planSignIn(options, parts, mount), { ...options, ...parts }),
    isReady: () => options.store.isReady(),
    keys: keys.verification,
    guard: (verifier) => createLiveVerifier(verifier, plan.issuer, liveness),
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
  const seal = createSeal(plan.encryptionKeys)
  const [formKey = ''] = seal.derive('forms')
  const door = createSafeFetch({ ...plan.identityProvider, issuer: metadataUrl ?? issuer }, resolveHost)
  // No host is anybody's own here: also names that cannot exist have addresses, where a resolver makes them up.
  const clientDoor = createSafeFetch({ issuer: undefined, ...plan.clientMetadata }, resolveHost)
  const singleUse = createSingleUse(clock, options.onIssue)
  const redirectUri = `${plan.issuer}${BROKER_PATHS.callback}`
  const { identityProvider, stopMaking } = openIdentityProvider(options, { redirectUri, door, seal, clock })
  const known = createResources(resources)
  const { accounts, liveness } = openUsers({ plan, store, seal, clock, identityProvider, resources: known })
  const keys = await openSigningKeys({ ...plan, store, seal, clock })
  const pool = createIssuerPool({ ...options, clock, ownKeys: new Map([[plan.issuer, keys.verification]]) })
  return {
    seal,
    keys,
    liveness,
    singleUse,
    resources: known,
    identityProvider,
    accounts,
    consents: createConsents(store, clock, plan.grantSeconds),
    stepUps: createStepUps(clock),
    browserCookie: createBrowserCookie(plan.issuer.startsWith('https:'), formKey),
    clientDocuments: createClientDocuments({ ...plan.clientMetadata, door: clientDoor, clock, named: listKeyUrls(plan.clients) }),
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
    subjectTokens: createLiveVerifier(createSubjectVerifier(options, pool, clock), plan.issuer, liveness),
    clock,
    async close() {
      stopMaking()
      singleUse.close()
      await Promise.all([door.close(), clientDoor.close(), pool.close()])
    },
  }
}

/** Whom users sign in with: by an application that was registered there, or one that is made as soon as that is possible. */
function openIdentityProvider(
  { plan, store, onIssue }: BrokerOptions,
  parts: { readonly redirectUri: string; readonly door: SafeFetch; readonly seal: Seal; readonly clock: Clock },
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

function mountProvider({ plan, store, resources, onIssue }: BrokerOptions, parts: Parts): Mount {
  const { seal, keys, liveness, singleUse, clock } = parts
  const verifier = createLiveVerifier(createOwnVerifier(plan, resources, keys), plan.issuer, liveness)
  const mayIntrospect = listIntrospectors(plan)
  const registrations = createRegistrations(store, plan.registration, clock)
  return createMount({
    ...parts,
    plan,
    adapter: createAdapter({
      store,
      seal,
      singleUse,
      refreshGraceSeconds: plan.refreshGraceSeconds,
      onRegistration: registrations.accept,
      unusedClientSeconds: plan.registration.unusedSeconds,
      now: () => clock.wall(),
    }),
    registrations,
    cookieKeys: seal.derive('cookies'),
    fetch: parts.clientDocuments.fetch,
    middlewares: [answerForOwnTokens({ store, liveness, verifier, mayIntrospect })],
    onIssue,
  })
}

function planSignIn({ plan, store }: BrokerOptions, parts: Parts, mount: Mount): SignInOptions {
  const { seal, clock } = parts
  return {
    ...parts,
    origin: plan.issuer,
    plan: plan.identityProvider,
    brand: plan.brand,
    scopeDescriptions: plan.scopeDescriptions,
    away: createVault<AwayUser>(store, seal, 'AwayUser', hashId),
    now: () => clock.wall(),
    findProvider: mount.findProvider,
  }
}

function listHandlers(
  mount: Mount,
  signIn: SignInOptions,
  { endpointPaths, clientDocuments }: Pick<BrokerOptions & Parts, 'endpointPaths' | 'clientDocuments'>,
): Map<string, VisitHandler> {
  const { authorization } = BROKER_PATHS.provider
  const aimed =
    (handler: (visit: Visit, options: SignInOptions) => Promise<void>): VisitHandler =>
    async (visit) => {
      mount.aim(visit.request)
      try {
        await handler(visit, signIn)
      } catch (error) {
        if (visit.response.headersSent || findOutage(error)) throw error
        sendTrouble(visit, TROUBLES.internal, error, signIn)
      }
    }
  const handlers: (readonly [path: string, handle: VisitHandler])[] = [
    ...Object.values(BROKER_PATHS.provider).map((path) => [path, holdToMethods(mount.handle)] as const),
    [`${authorization}/{id}`, holdToMethods(mount.handleResume, ['GET', 'HEAD'])],
    [`${BROKER_PATHS.signIn}/{id}`, aimed(handleSignIn)],
    [BROKER_PATHS.callback, aimed(handleCallback)],
    ...listMetadataPaths(endpointPaths).map((path) => [path, holdToMethods(mount.handleMetadata)] as const),
  ]
  const onBehalf = (handle: VisitHandler): VisitHandler => {
    return (visit) => clientDocuments.askFor(visit.address, async () => handle(visit))
  }
  return new Map(handlers.map(([path, handle]) => [path, answeringOutages(onBehalf(handle), signIn)]))
}

/** How long anything may be of use that was encrypted: users and what they were given, cookies, and keys with a little overlap. */
function countUsefulSeconds({ grantSeconds, browserSeconds, signingKeySeconds, accessTokenSeconds }: BrokerPlan): number {
  return Math.max(grantSeconds, browserSeconds, signingKeySeconds + accessTokenSeconds + 3600)
}

function renewNowAndThen(
  { mount, mark }: { readonly mount: Mount; readonly mark: EncryptionMark },
  clock: Clock,
  onIssue: (message: string) => void,
): () => void {
  let cancel = () => {}
  const schedule = () => {
    cancel = clock.after(RENEW_KEYS_MS, () => {
      Promise.all([mount.renewKeys(), mark.renew()])
        .catch((error: Error) => onIssue(`broker: the signing keys could not be renewed: ${error.message}`))
        .finally(schedule)
    })
  }
  schedule()
  return () => cancel()
}
