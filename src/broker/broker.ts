import { BROKER_PATHS, listMetadataPaths } from '../core/broker-paths.ts'
import type { BrokerPlan } from '../core/plan.ts'
import type { TokenVerifier } from '../core/ports.ts'
import type { Principal } from '../core/principal.ts'
import type { Store } from '../core/store.ts'
import type { Visit, VisitHandler } from '../core/visit.ts'
import { type Clock, systemClock } from '../oauth/clock.ts'
import { createIssuerPool } from '../oauth/issuer.ts'
import type { IssuerKeys } from '../oauth/keys.ts'
import { createSafeFetch, type ResolveHost } from '../oauth/safe-fetch.ts'
import { createTokenVerifier } from '../oauth/token-verifier.ts'
import { createAccounts } from './accounts.ts'
import { createAdapter, groupOfSession, hashId } from './adapter.ts'
import { createBrowserCookie } from './browser-cookie.ts'
import { handleCallback } from './callback.ts'
import { createDocumentFetch } from './client-documents.ts'
import { createConsents } from './consents.ts'
import { createIdentityProvider } from './identity-provider.ts'
import { createLiveness, createLiveVerifier, GRANT_CLAIM } from './liveness.ts'
import { createMount, type Mount } from './mount.ts'
import { answerForOwnTokens } from './own-tokens.ts'
import { createRateLimit } from './rate-limit.ts'
import { createRegistrations } from './registrations.ts'
import { type BrokerResource, createResources } from './resources.ts'
import type { AwayUser, SignInOptions } from './scene.ts'
import { createSeal } from './seal.ts'
import { handleSignIn } from './sign-in.ts'
import { openSigningKeys, type SigningKeys } from './signing-keys.ts'
import { createStepUps } from './step-ups.ts'
import { createVault } from './vault.ts'

/** An authorization server of our own, for an identity provider that can't serve MCP clients. */
export interface Broker {
  /** By public path; a final `/*` stands for any one segment. */
  readonly handlers: ReadonlyMap<string, VisitHandler>
  /** Keys that its access tokens are verified with. */
  readonly keys: IssuerKeys
  /** Has a verifier also ask whether tokens of the broker still stand. */
  guard(verifier: TokenVerifier): TokenVerifier
  /** Hears that a principal of the broker was told to get more scope. */
  noteStepUp(principal: Principal): void
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

/** Where metadata documents of clients are looked for: on the public internet, whoever we are. */
const NO_ISSUER = 'https://client-metadata.invalid'
const RENEW_KEYS_MS = 10 * 60_000

/** Starts a broker. Nothing is asked of the identity provider before somebody signs in. */
export async function startBroker(options: BrokerOptions): Promise<Broker> {
  const { plan, store, resolveHost, onIssue } = options
  const clock = options.clock ?? systemClock
  const seal = createSeal(plan.encryptionKeys)
  const providerDoor = createSafeFetch(plan.identityProvider, resolveHost)
  const clientDoor = createSafeFetch({ issuer: NO_ISSUER, ...plan.clientMetadata }, resolveHost)
  const keys = await openSigningKeys({ ...plan, store, seal, clock })
  const liveness = createLiveness(store, clock)
  const identityProvider = createIdentityProvider({
    plan: plan.identityProvider,
    redirectUri: `${plan.issuer}${BROKER_PATHS.callback}`,
    door: providerDoor,
    clock,
  })
  const accounts = createAccounts({
    store,
    seal,
    identityProvider,
    grantSeconds: plan.grantSeconds,
    clock,
    onEnded: () => liveness.forget(),
  })
  const consents = createConsents(store, clock, plan.grantSeconds)
  const resources = createResources(options.resources)
  const stepUps = createStepUps(clock)
  const adapter = createAdapter({
    store,
    refreshGraceSeconds: plan.refreshGraceSeconds,
    unusedClientSeconds: plan.registration.unusedSeconds,
    now: () => clock.wall(),
  })
  const verifier = createLiveVerifier(createOwnVerifier(plan, options.resources, keys), plan.issuer, liveness)
  const mayIntrospect = new Set(plan.clients.filter(({ secret }) => secret !== undefined).map(({ id }) => id))
  const mount = createMount({
    plan,
    resources,
    accounts,
    consents,
    stepUps,
    adapter,
    keys,
    liveness,
    registrations: createRegistrations(store, plan.registration, clock),
    cookieKeys: seal.derive('cookies'),
    fetch: createDocumentFetch(clientDoor, () => clock.monotonic()),
    middlewares: [answerForOwnTokens({ store, liveness, verifier, mayIntrospect })],
    authorizations: createRateLimit(plan.authorizationsPerMinute, clock),
    onIssue,
  })
  const [formKey = ''] = seal.derive('forms')
  const signIn: SignInOptions = {
    origin: plan.issuer,
    plan: plan.identityProvider,
    scopeDescriptions: plan.scopeDescriptions,
    identityProvider,
    accounts,
    consents,
    resources,
    browserCookie: createBrowserCookie(plan.issuer.startsWith('https:'), formKey),
    away: createVault<AwayUser>(store, seal, 'AwayUser', hashId),
    endSession: (uid) => store.deleteGroup(groupOfSession(uid)),
    now: () => clock.wall(),
    findProvider: mount.findProvider,
  }
  const stopRenewing = renewNowAndThen(mount, clock, onIssue)
  return {
    handlers: listHandlers(mount, signIn, options),
    keys: keys.verification,
    guard: (verifier) => createLiveVerifier(verifier, plan.issuer, liveness),
    noteStepUp({ issuer, claims: { [GRANT_CLAIM]: grantId } }) {
      if (issuer === plan.issuer && typeof grantId === 'string') stepUps.note(grantId)
    },
    async close() {
      stopRenewing()
      await Promise.all([providerDoor.close(), clientDoor.close()])
    },
  }
}

/** Verifies access tokens of ours, whatever resource they are for. */
function createOwnVerifier(plan: BrokerPlan, resources: readonly BrokerResource[], keys: SigningKeys): TokenVerifier {
  return createTokenVerifier({
    issuers: [plan.issuerPlan],
    audiences: resources.map(({ identifier }) => identifier),
    acceptMissingAudience: false,
    pool: createIssuerPool({ ownKeys: new Map([[plan.issuer, keys.verification]]) }),
  })
}

function listHandlers(mount: Mount, signIn: SignInOptions, { endpointPaths }: BrokerOptions): Map<string, VisitHandler> {
  const { authorization } = BROKER_PATHS.provider
  const aimed =
    (handler: (visit: Visit, options: SignInOptions) => Promise<void>): VisitHandler =>
    (visit) => {
      mount.aim(visit.request)
      return handler(visit, signIn)
    }
  return new Map<string, VisitHandler>([
    ...Object.values(BROKER_PATHS.provider).map((path) => [path, mount.handle] as const),
    // Where an authorization request goes on after sign-in and consent.
    [`${authorization}/*`, mount.handle],
    [`${BROKER_PATHS.signIn}/*`, aimed(handleSignIn)],
    [BROKER_PATHS.callback, aimed(handleCallback)],
    ...listMetadataPaths(endpointPaths).map((path) => [path, mount.handleMetadata] as const),
  ])
}

function renewNowAndThen(mount: Mount, clock: Clock, onIssue: (message: string) => void): () => void {
  let cancel = () => {}
  const schedule = () => {
    cancel = clock.after(RENEW_KEYS_MS, () => {
      mount
        .renewKeys()
        .catch((error: Error) => onIssue(`broker: the signing keys could not be renewed: ${error.message}`))
        .finally(schedule)
    })
  }
  schedule()
  return () => cancel()
}
