import { BROKER_PATHS } from '../core/broker-paths.ts'
import type { Clock } from '../core/clock.ts'
import type { DenyList } from '../core/deny-list.ts'
import { createEncryption, type Encryption } from '../core/encryption.ts'
import type { BrokerPlan } from '../core/plan/broker-plan.ts'
import type { TokenVerifier } from '../core/ports.ts'
import type { OnEvent } from '../core/security-event.ts'
import type { Store } from '../core/store.ts'
import { createIssuerPool, type IssuerPool } from '../oauth/issuer.ts'
import type { ResolveHost } from '../oauth/resolve-host.ts'
import { createIssuerFetch, createSafeFetch, type SafeFetch } from '../oauth/safe-fetch.ts'
import { openSigningKeys, type SigningKeys } from '../oauth/signing-keys.ts'
import type { Accounts } from './accounts/accounts.ts'
import { createAsgardeoIdentityProvider } from './asgardeo/asgardeo-identity-provider.ts'
import { listKeyUrls } from './clients/configured-clients.ts'
import { type ClientDocuments, createClientDocuments } from './clients/metadata-documents.ts'
import { type BrokerResource, createResources, type Resources } from './clients/resources.ts'
import { createEventSource, type EventSource } from './event-source.ts'
import { createIdentityAssertions, type IdentityAssertions } from './grants/identity-assertions.ts'
import { createIdentityProvider, type IdentityProvider } from './identity-provider/identity-provider.ts'
import { createAddressLimit, createRateLimit, type RateLimit } from './limits/rate-limit.ts'
import { type BrowserCookie, createBrowserCookie } from './pages/browser-cookie.ts'
import { createSubjectVerifier } from './protocol/token-verifiers.ts'
import { openUsers } from './protocol/user-standing.ts'
import { type Consents, createConsents } from './sign-in/consents.ts'
import { createSingleUse, type SingleUse } from './storage/single-use.ts'
import { createUnrevokedVerifier, type Revocations } from './tokens/revocation.ts'
import { createStepUps, type StepUps } from './tokens/step-ups.ts'
import { createReservedUrls } from './upstream-accounts/reserved-urls.ts'
import { createUpstreamAccounts, type UpstreamAccounts } from './upstream-accounts/upstream-accounts.ts'

/** What the parts of the broker are made of. */
export interface PartsOptions {
  readonly plan: BrokerPlan
  readonly resources: readonly BrokerResource[]
  /** Scoped to the issuer of the identity provider. */
  readonly store: Store
  readonly clock: Clock
  /** Called with problems to log; the text holds no secrets. */
  readonly onIssue: (message: string) => void
  readonly onEvent: OnEvent
  /** What operators deny; undefined where nothing can be denied. */
  readonly denied?: DenyList | undefined
  /** Makes a verifier refuse what is denied. */
  readonly guardTokens?: ((verifier: TokenVerifier) => TokenVerifier) | undefined
  readonly resolveHost: ResolveHost | undefined
}

/** What the endpoints of the broker share. */
export interface Parts {
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
  /** Metadata documents and keys that clients publish. */
  readonly clientDocuments: ClientDocuments
  /** Limits authorization requests: each is stored for a while. */
  readonly authorizations: RateLimit
  /** Limits token and revocation requests: each costs signatures and a look into the store. */
  readonly tokenRequests: RateLimit
  /** Limits introspection requests of clients that the configuration does not name. */
  readonly unknownIntrospections: RateLimit
  readonly assertions: IdentityAssertions
  /** Makes a verifier refuse what operators deny. */
  readonly guardTokens: (verifier: TokenVerifier) => TokenVerifier
  /** Verifies access tokens that are to be exchanged. */
  readonly subjectTokens: TokenVerifier
  readonly events: EventSource
  /** Also where no MCP server has accounts of users any more: those of before end with their users. */
  readonly upstreamAccounts: UpstreamAccounts
  close(): Promise<void>
}

const refuseNone = (verifier: TokenVerifier): TokenVerifier => verifier

export async function createParts(options: PartsOptions): Promise<Parts> {
  const { plan, store, clock, onIssue, guardTokens = refuseNone } = options
  const encryption = createEncryption(plan.encryptionKeys)
  const { signingKeySeconds, accessTokenSeconds } = plan
  const keys = await openSigningKeys({ store, encryption, kind: 'SigningKey', signingKeySeconds, accessTokenSeconds, clock })
  const pool = openIssuerPool(options, keys)
  const singleUse = createSingleUse(clock, onIssue)
  const resources = createResources(options.resources)
  const events = createEventSource(options.onEvent, plan.issuer, resources)
  const { identityProvider, close: closeProvider } = openIdentityProvider(options, encryption)
  const upstreamAccounts = openUpstreamAccounts(options, { encryption, events, identityProvider })
  const users = openUsers({
    plan,
    store,
    encryption,
    clock,
    identityProvider,
    resources,
    report: events.report,
    isBlocked: listBlocked(options),
    endLasting: upstreamAccounts.endAll,
  })
  const documents = openClientDocuments(options)
  const subjectVerifier = createSubjectVerifier({ plan, resources: options.resources, pool, clock })
  return {
    encryption,
    keys,
    revocations: users.revocations,
    singleUse,
    resources,
    identityProvider,
    accounts: users.accounts,
    consents: createConsents(store, encryption, clock, plan.grantSeconds),
    stepUps: createStepUps(store, clock),
    browserCookie: createBrowserCookie(plan.issuer.startsWith('https:'), encryption, clock),
    clientDocuments: documents.clientDocuments,
    ...createLimits(plan, clock),
    assertions: createIdentityAssertions({
      issuers: plan.assertionIssuers,
      audience: plan.issuer,
      pool,
      store,
      singleUse,
      clock,
    }),
    events,
    upstreamAccounts,
    guardTokens,
    subjectTokens: guardTokens(createUnrevokedVerifier(subjectVerifier, plan.issuer, users.revocations)),
    async close() {
      singleUse.close()
      await Promise.all([closeProvider(), documents.close(), pool.close(), upstreamAccounts.close()])
    },
  }
}

function createLimits({ authorizationsPerMinute, tokenRequestsPerMinute }: BrokerPlan, clock: Clock) {
  return {
    authorizations: createRateLimit(authorizationsPerMinute, clock),
    tokenRequests: createAddressLimit(tokenRequestsPerMinute, clock),
    unknownIntrospections: createAddressLimit(tokenRequestsPerMinute, clock),
  }
}

/** Users of ours whose new tokens are refused as well may not sign in. */
function listBlocked({ denied, plan }: PartsOptions): (subject: string) => boolean {
  return (subject) =>
    denied?.list().some((one) => {
      return one.kind === 'user' && one.value === subject && one.issuer === plan.issuer && one.issuedBefore === undefined
    }) === true
}

function openIssuerPool({ plan, clock, onIssue, resolveHost }: PartsOptions, keys: SigningKeys): IssuerPool {
  const ownKeys = new Map([[plan.issuer, keys.verification]])
  return createIssuerPool({ clock, onIssue, ownKeys, ...(resolveHost && { resolveHost }) })
}

/** One for each MCP server, which may have several resources. */
function openUpstreamAccounts(
  { plan, resources, store, clock, onIssue, resolveHost }: PartsOptions,
  { encryption, events, identityProvider }: Pick<Parts, 'encryption' | 'events' | 'identityProvider'>,
): UpstreamAccounts {
  const plans = new Map(resources.flatMap(({ account }) => (account === undefined ? [] : [[account.server, account] as const])))
  const { issuer: origin, grantSeconds, clientMetadata } = plan
  return createUpstreamAccounts([...plans.values()], {
    origin,
    store,
    encryption,
    clock,
    resolveHost,
    grantSeconds,
    // By what the configuration says of hosts that it does not name, but never into private networks.
    formerReach: { allowPrivateNetwork: false, ca: clientMetadata.ca, egress: clientMetadata.egress },
    reserved: createReservedUrls(() => identityProvider.listEndpoints(), clock),
    report: events.report,
    onIssue,
  })
}

/** A part with connections of its own. */
interface Closing {
  close(): Promise<void>
}

/** Fetches what clients name. */
function openClientDocuments({
  plan,
  clock,
  resolveHost,
}: PartsOptions): Closing & { readonly clientDocuments: ClientDocuments } {
  const { allowPrivateNetwork, ca, egress } = plan.clientMetadata
  // Without an issuer no host counts as ours: a resolver may return addresses even for names that cannot exist.
  const outboundFetch = createSafeFetch({ issuer: undefined, allowPrivateNetwork, ca, egress }, resolveHost)
  const named = listKeyUrls(plan.clients)
  return {
    clientDocuments: createClientDocuments({ outboundFetch, allowPrivateNetwork, clock, named }),
    close: () => outboundFetch.close(),
  }
}

type OpenIdentityProvider = Closing & { readonly identityProvider: IdentityProvider }

/** The provider that users sign in with: through the application of the configuration, or through one that is created at Asgardeo. */
function openIdentityProvider(options: PartsOptions, encryption: Encryption): OpenIdentityProvider {
  const { clock, resolveHost } = options
  const { identityProvider: plan, issuer } = options.plan
  const { asgardeo } = plan
  // Asgardeo has an application for each client, whose id is in the path.
  const outboundFetch = createIssuerFetch({ ...plan, hidesPaths: asgardeo !== undefined }, resolveHost)
  const redirectUri = `${issuer}${BROKER_PATHS.callback}`
  if (asgardeo === undefined)
    return {
      identityProvider: createIdentityProvider({ plan, redirectUri, outboundFetch, clock }),
      close: () => outboundFetch.close(),
    }
  return openAsgardeo({ ...plan, asgardeo }, { options, redirectUri, outboundFetch, encryption })
}

type AsgardeoIdentityProviderPlan = Parameters<typeof createAsgardeoIdentityProvider>[0]['plan']

function openAsgardeo(
  plan: AsgardeoIdentityProviderPlan,
  parts: { options: PartsOptions; redirectUri: string; outboundFetch: SafeFetch; encryption: Encryption },
): OpenIdentityProvider {
  const { redirectUri, outboundFetch, encryption } = parts
  const { store, clock, onIssue } = parts.options
  const { registration } = parts.options.plan
  const identityProvider = createAsgardeoIdentityProvider({
    plan,
    registration,
    redirectUri,
    outboundFetch,
    store,
    encryption,
    clock,
    onIssue,
  })
  identityProvider.warm()
  return {
    identityProvider,
    close() {
      identityProvider.close()
      return outboundFetch.close()
    },
  }
}
