import { type Clock, systemClock } from '../core/clock.ts'
import type { DenyList } from '../core/deny-list.ts'
import type { EndpointHandler } from '../core/endpoint-request.ts'
import type { BrokerPlan } from '../core/plan/broker-plan.ts'
import type { TokenVerifier } from '../core/ports.ts'
import type { Principal } from '../core/principal.ts'
import type { OnEvent } from '../core/security-event.ts'
import type { SignInRegister } from '../core/sign-in-register.ts'
import type { Store } from '../core/store.ts'
import type { OwnAccountCredential } from '../core/upstream-credential.ts'
import type { IssuerKeys } from '../oauth/keys.ts'
import type { ResolveHost } from '../oauth/resolve-host.ts'
import type { BrokerResource } from './clients/resources.ts'
import { listHandlers, openProtocolEndpoints } from './endpoints.ts'
import { findSubjectClaim } from './identity-provider/subject.ts'
import { createRegister } from './operators/register.ts'
import { createParts } from './parts.ts'
import { createIssuerScopedStore } from './storage/issuer-scoped-store.ts'
import { placeKeyCanary } from './storage/key-canary.ts'
import { createOwnAccountCredential } from './tokens/own-account-credential.ts'
import { createUnrevokedVerifier, GRANT_CLAIM } from './tokens/revocation.ts'
import { type CredentialSource, createCredentialSource } from './tokens/upstream-credential.ts'
import { createClaimsOfUsers } from './tokens/user-claims.ts'
import { createAccountLinks } from './upstream-accounts/account-links.ts'

/** An authorization server of our own, for an identity provider that can't serve MCP clients. */
export interface Broker {
  /** By public path; a final `/{id}` stands for one segment of letters, digits, `-` and `_`. */
  readonly handlers: ReadonlyMap<string, EndpointHandler>
  /** Whether its store can be reached. */
  isReady(): boolean
  /** Keys that verify its access tokens. */
  readonly keys: IssuerKeys
  /** Makes a verifier reject revoked tokens of the broker, and add to principals what the identity provider says of their users now. */
  guard(verifier: TokenVerifier): TokenVerifier
  /** What the identity provider issued for its users. */
  readonly credentials: CredentialSource
  /** What an MCP server gets for its users' own accounts there; undefined for one that has none. */
  findAccountCredential(server: string): OwnAccountCredential | undefined
  /** Called when a principal was told to get scopes that its token lacks. */
  noteStepUp(principal: Principal, missing: readonly string[]): void
  /** Its users, clients and sign-ins, for operators. */
  readonly register: SignInRegister
  close(): Promise<void>
}

export interface BrokerOptions {
  readonly plan: BrokerPlan
  readonly resources: readonly BrokerResource[]
  /** Paths of the MCP endpoints: clients derive from them where metadata may be. */
  readonly endpointPaths: readonly string[]
  readonly store: Store
  /** Called with problems to log; the text holds no secrets. */
  readonly onIssue: (message: string) => void
  /** Called with what happens: sign-ins, consents, tokens, keys. */
  readonly onEvent: OnEvent
  /** What operators deny. */
  readonly denied?: DenyList
  /** Makes a verifier refuse what is denied. */
  readonly guardTokens?: (verifier: TokenVerifier) => TokenVerifier
  readonly clock?: Clock
  readonly resolveHost?: ResolveHost
}

const RENEW_KEYS_MS = 10 * 60_000

/** Starts a broker. Does not wait for the identity provider. */
export async function startBroker(options: BrokerOptions): Promise<Broker> {
  const { plan, resources, endpointPaths, onIssue, onEvent, clock = systemClock, resolveHost, denied, guardTokens } = options
  const store = createIssuerScopedStore(options.store, {
    issuer: plan.identityProvider.issuer,
    subjectClaim: findSubjectClaim(plan.identityProvider),
  })
  const given = { plan, resources, store, clock, onIssue, onEvent, resolveHost, denied, guardTokens }
  const parts = await createParts(given)
  const { encryption, keys, revocations, stepUps } = parts
  const links = createAccountLinks(plan.issuer, encryption, clock)
  const addClaims = createClaimsOfUsers(plan.identityProvider)
  const endpoints = openProtocolEndpoints(given, parts)
  const canary = await placeKeyCanary({ store, encryption, seconds: countUsefulSeconds(plan), clock, onIssue })
  const stopRenewing = clock.every(RENEW_KEYS_MS, () => {
    Promise.all([endpoints.renewKeys(), canary.renew()]).catch((error: Error) =>
      onIssue(`broker: the signing keys could not be renewed: ${error.message}`),
    )
  })
  return {
    handlers: listHandlers({ given, parts, endpoints, endpointPaths }),
    isReady: () => store.isReady(),
    keys: keys.verification,
    guard: (verifier) => createUnrevokedVerifier(verifier, plan.issuer, revocations, addClaims),
    credentials: createCredentialSource(parts.accounts, clock),
    findAccountCredential(server) {
      const account = parts.upstreamAccounts.find(server)
      return account && createOwnAccountCredential(account, links, onIssue)
    },
    noteStepUp({ issuer, claims: { [GRANT_CLAIM]: grantId } }, missing) {
      if (issuer === plan.issuer && typeof grantId === 'string') stepUps.note(grantId, missing)
    },
    register: createRegister({ ...parts, plan, store, clock }),
    async close() {
      stopRenewing()
      await parts.close()
    },
  }
}

/** How long encrypted entries may be needed: users, their grants and connected accounts, cookies, and keys with a small overlap. */
function countUsefulSeconds({ grantSeconds, browserSeconds, signingKeySeconds, accessTokenSeconds }: BrokerPlan): number {
  return Math.max(2 * grantSeconds, browserSeconds, signingKeySeconds + accessTokenSeconds + 3600)
}
